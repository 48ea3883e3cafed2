"""The configuration: its defaults, its sources, its secrets, and what it says of a faulty one."""

import json
import shutil
import subprocess
import sys
import tomllib
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from alertd.domain.alert import Purpose
from alertd.settings import ConfigError, Settings, load
from alertd.settings.channels import Common, installed
from alertd.settings.folders import shipped
from alertd.settings.model import Api, Delivery, Feeds, Lifetime, Officers, Retention, Retrying, ServiceSettings, Store
from alertd.settings.report import fields_by_key

ROOT = Path(__file__).resolve().parents[2]


class PagerConfig(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    contact: str = Field("", description="a mailto: address")
    token: SecretStr | None = None
    port: int = Field(25, ge=1, le=65_535, description="a port number")
    allow_hosts: tuple[str, ...] = ()
    sender: str = Field("", alias="from")
    fast: bool = False


class Pager:
    name = "pager"
    Config = PagerConfig


def broken() -> type[Pager]:
    raise ImportError("No module named 'pagerlib'")


ADAPTERS = {"pager": lambda: Pager, "webpush": lambda: Pager, "broken": broken}


def read(text: str | None, tmp_path: Path, environ: dict[str, str] | None = None) -> Settings:
    file = None
    if text is not None:
        file = tmp_path / "alertd.toml"
        file.write_text(text)
    return load(file, environ={"HOME": str(tmp_path), **(environ or {})}, adapters=ADAPTERS)


def refused(text: str | None, tmp_path: Path, environ: dict[str, str] | None = None) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read(text, tmp_path, environ)
    return caught.value


def test_no_configuration_at_all(tmp_path: Path) -> None:
    settings = read(None, tmp_path)
    assert settings.file is None
    assert settings.state == tmp_path / ".local/state/alertd"
    assert settings.store.path == settings.state / "alertd.db"
    assert (settings.api.host, settings.api.port) == ("127.0.0.1", 8470)
    assert list(settings.channels) == ["push"]
    assert settings.channels["push"].config.contact == "mailto:unconfigured@alertd.invalid"
    assert "not configured" in settings.service.name
    assert settings.zones == tuple(sorted((shipped() / "zones").glob("*.geojson")))
    assert settings.delivery.lifetime.of(Purpose.EMERGENCY) == timedelta(hours=24)
    assert settings.speaker.public_url == ""


def test_systemd_says_where_the_state_is(tmp_path: Path) -> None:
    settings = read(None, tmp_path, {"STATE_DIRECTORY": "/var/lib/private/alertd:/var/lib/other"})
    assert settings.state == Path("/var/lib/private/alertd")
    assert settings.store.path == Path("/var/lib/private/alertd/alertd.db")


def test_the_contracts_store_address_is_absolute(tmp_path: Path) -> None:
    for url in ("sqlite:///var/lib/alertd/alertd.db", "sqlite:////var/lib/alertd/alertd.db"):
        assert read(f'[store]\nurl = "{url}"', tmp_path).store.path == Path("/var/lib/alertd/alertd.db")
    assert read('[store]\nurl = "sqlite:x.db"', tmp_path).store.path == (tmp_path / "x.db").resolve()


def test_the_environment_wins_and_is_typed(tmp_path: Path) -> None:
    text = '[service]\nname = "A"\n[channels.my-pager]\nadapter = "pager"\ntoken = "in the file"'
    settings = read(
        text,
        tmp_path,
        {
            "ALERTD_SERVICE__NAME": "B",
            "ALERTD_SERVICE__LANGUAGES": "it-IT, de-AT",
            "ALERTD_API__TRUST_FORWARDED": "true",
            "ALERTD_DELIVERY__RETRY__MAX_ATTEMPTS": "7",
            "ALERTD_DELIVERY__LIFETIME__EMERGENCY": "90m",
            "ALERTD_CHANNELS__MY_PAGER__PORT": "2525",
            "ALERTD_CHANNELS__MY_PAGER__FAST": "yes",
            "ALERTD_CHANNELS__MY_PAGER__ALLOW_HOSTS": '["a.example", "b.example"]',
            "ALERTD_CHANNELS__MY_PAGER__FROM": "x@example.org",
            "ALERTD_CHANNELS__MY_PAGER__PURPOSES": "emergency,event",
            "ALERTD_CHANNELS__MY_PAGER__TOKEN": "[not TOML",
            "ALERTD_CHANNELS__NEW__ADAPTER": "pager",
            "ALERTD_CONFIG": "/not/a/section",
        },
    )
    assert settings.service.name == "B"
    assert settings.service.languages == ("it-IT", "de-AT")
    assert settings.api.trust_forwarded is True
    assert settings.delivery.retry.max_attempts == 7
    assert settings.delivery.lifetime.emergency == timedelta(minutes=90)
    pager = settings.channels["my-pager"]
    assert (pager.config.port, pager.config.fast, pager.config.sender) == (2525, True, "x@example.org")
    assert pager.config.allow_hosts == ("a.example", "b.example")
    assert pager.config.token.get_secret_value() == "[not TOML"
    assert pager.purposes == {Purpose.EMERGENCY, Purpose.EVENT}
    assert "new" in settings.channels


def test_the_environment_alone_changes_the_default_channel(tmp_path: Path) -> None:
    settings = read(None, tmp_path, {"ALERTD_CHANNELS__PUSH__CONTACT": "mailto:me@example.org"})
    assert settings.channels["push"].config.contact == "mailto:me@example.org"


def test_the_contact_of_web_push_follows_the_sender(tmp_path: Path) -> None:
    settings = read('[service]\nsender = "town@example.it"', tmp_path)
    assert settings.channels["push"].config.contact == "mailto:town@example.it"
    assert not read("[channels]", tmp_path).channels


def test_secrets_lie_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "creds").mkdir()
    (tmp_path / "creds/bot").write_text("from systemd\n")
    (tmp_path / "bot.txt").write_text("from a file\n")
    text = """
        [channels.a]
        adapter = "pager"
        token = {credential = "bot"}
        [channels.b]
        adapter = "pager"
        token = {file = "bot.txt"}
    """
    settings = read(
        text,
        tmp_path,
        {
            "CREDENTIALS_DIRECTORY": str(tmp_path / "creds"),
            "ALERTD_CHANNELS__C__ADAPTER": "pager",
            "ALERTD_CHANNELS__C__TOKEN__FILE": str(tmp_path / "bot.txt"),
            "ALERTD_CHANNELS__D__ADAPTER": "pager",
            "ALERTD_CHANNELS__D__TOKEN": '{credential = "bot"}',
        },
    )
    secrets = {name: c.config.token.get_secret_value() for name, c in settings.channels.items()}
    assert secrets == {"a": "from systemd", "b": "from a file", "c": "from a file", "d": "from systemd"}
    assert "from" not in repr(settings)


@pytest.mark.parametrize(
    ("reference", "wrong"),
    [
        ('{credential = "bot"}', "CREDENTIALS_DIRECTORY is not set"),
        ('{credential = "../bot"}', "is not the name of a credential"),
        ('{file = "nowhere.txt"}', "No such file"),
        ('{file = "empty.txt"}', "is empty"),
    ],
)
def test_a_secret_that_is_not_there(tmp_path: Path, reference: str, wrong: str) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    error = refused(f'[channels.a]\nadapter = "pager"\ntoken = {reference}', tmp_path)
    (problem,) = error.problems
    assert problem.key == "channels.a.token"
    assert wrong in problem.wrong
    assert problem.given == reference


def test_every_problem_at_once_each_with_what_would_be_right(tmp_path: Path) -> None:
    text = """
        zones = ["zones/*.geojson"]
        [service]
        nmae = "Comune"
        sender = "protezione civile"
        timezone = "Europe/Roma"
        zones = ["nowhere/*.geojson"]
        [api]
        listen = "8470"
        public_url = "allerta.example.it"
        [store]
        url = "postgresql://db/alertd"
        [delivery.lifetime]
        emergency = "one day"
        emergancy = "24h"
        [channels.Push]
        adapter = "pager"
        [channels.a]
        adapter = "pagr"
        [channels.b]
        adapter = "pager"
        port = "many"
        tokn = "s3cret"
        purposes = ["war"]
        [channels.c]
        port = 25
        [channels.d]
        adapter = "broken"
    """
    error = refused(text, tmp_path)
    found = {problem.key: problem for problem in error.problems}
    assert set(found) == {
        "zones",
        "service.nmae",
        "service.sender",
        "service.timezone",
        "api.listen",
        "api.public_url",
        "store.url",
        "delivery.lifetime.emergency",
        "delivery.lifetime.emergancy",
        "channels.Push",
        "channels.a.adapter",
        "channels.b.port",
        "channels.b.tokn",
        "channels.b.purposes.0",
        "channels.c.adapter",
        "channels.d.adapter",
    }
    assert "name" in found["service.nmae"].right
    assert "Europe/Rome" in found["service.timezone"].right
    assert found["service.timezone"].given == '"Europe/Roma"'
    assert "several-nodes" in found["store.url"].wrong
    assert "`emergency`" in found["delivery.lifetime.emergancy"].right
    assert "`pager`" in found["channels.a.adapter"].right
    assert found["channels.b.port"].right == "a port number"
    assert "`token`" in found["channels.b.tokn"].right
    assert "pip install 'alertd[broken]'" in found["channels.d.adapter"].right
    text = str(error)
    assert text.startswith("The configuration cannot be used: 16 problems.")
    assert str(tmp_path / "alertd.toml") in text
    assert "s3cret" not in text


def test_a_pattern_that_finds_nothing(tmp_path: Path) -> None:
    error = refused('[service]\nzones = ["nowhere/*.geojson"]', tmp_path)
    assert [problem.key for problem in error.problems] == ["service.zones"]


def test_a_problem_from_the_environment_names_the_variable(tmp_path: Path) -> None:
    error = refused(None, tmp_path, {"ALERTD_API__LISTEN": "here", "ALERTD_SEVICE__NAME": "x"})
    sources = {problem.key: problem.source for problem in error.problems}
    assert sources["api.listen"] == "environment variable ALERTD_API__LISTEN"
    assert sources["sevice"] == "environment variable ALERTD_SEVICE__NAME"
    assert "`service`" in str(error)


@pytest.mark.parametrize("bad", ["secret-value", 17, [1]])
def test_a_secret_is_never_repeated(tmp_path: Path, bad: object) -> None:
    class Strict(PagerConfig):
        token: SecretStr = Field(min_length=100)

    class StrictPager(Pager):
        Config = Strict

    file = tmp_path / "alertd.toml"
    file.write_text(f'[channels.a]\nadapter = "pager"\ntoken = {json.dumps(bad)}')
    with pytest.raises(ConfigError) as caught:
        load(file, environ={}, adapters={"pager": lambda: StrictPager})
    (problem,) = caught.value.problems
    assert problem.given is None
    assert str(bad) not in str(problem)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [(b"[service\n", "is not TOML"), (b"\xff\xfe", "is not UTF-8"), (None, "there is no such file")],
)
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, wrong: str) -> None:
    file = tmp_path / "x.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=wrong):
        load(file, environ={}, adapters=ADAPTERS)


def test_a_channel_that_did_not_change_is_equal(tmp_path: Path) -> None:
    text = '[channels.a]\nadapter = "pager"\ntoken = "1"\n[channels.b]\nadapter = "pager"\ntoken = "{}"'
    before, after = read(text.format(1), tmp_path).channels, read(text.format(2), tmp_path).channels
    assert before["a"] == after["a"]
    assert before["b"] != after["b"]


def test_zones_are_found_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "zones").mkdir()
    (tmp_path / "zones/b.geojson").touch()
    (tmp_path / "zones/a.geojson").touch()
    absolute = tmp_path / "zones/a.geojson"
    settings = read(f'[service]\nzones = ["zones/*.geojson", "{absolute}"]', tmp_path)
    assert [path.name for path in settings.zones] == ["a.geojson", "b.geojson"]


def test_only_configured_adapters_are_imported() -> None:
    code = (
        "import sys; from alertd.settings import load; from pathlib import Path\n"
        "load(Path(sys.argv[1]), environ={})\n"
        "print([m for m in ('telegram', 'aiosmtplib', 'pywebpush') if m in sys.modules])"
    )
    if "webpush" not in installed():
        pytest.skip("alertd is not installed here, so there are no entry points")
    done = subprocess.run(  # a fresh interpreter, since this one has imported everything
        [sys.executable, "-c", code, "/dev/null"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert "telegram" not in done.stdout
    assert "aiosmtplib" not in done.stdout


def test_the_shipped_configuration_loads(tmp_path: Path) -> None:
    if {"webpush", "email", "telegram", "webhook"} - installed().keys():
        pytest.skip("alertd is not installed here, so there are no entry points")
    file = tmp_path / "alertd.toml"
    text = (ROOT / "config/alertd.toml").read_text()
    file.write_text(_uncommented(text))
    shutil.copytree(ROOT / "config/zones", tmp_path / "zones")
    (tmp_path / "creds").mkdir()
    (tmp_path / "creds/telegram-token").write_text("1000000001:" + "A" * 35)
    (tmp_path / "creds/hook-secret").write_text("whsec_" + "QUJD" * 8)
    (tmp_path / "creds/smtp-password").write_text("x")
    (tmp_path / "creds/dighe-secret").write_text("whsec_" + "QUJD" * 8)
    (tmp_path / "creds/mqtt-password").write_text("x")
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "creds/dkim-key").write_bytes(pem)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "creds")}
    settings = load(file, environ=environ)
    assert set(settings.channels) == {"push", "mail", "canale", "bot", "hook"}
    assert set(settings.ingest.sources) == {"regione", "ingv", "pesa", "monitor", "dighe"}
    assert [rule.name for rule in settings.ingest.rules] == ["piena"]


def test_the_shipped_configuration_has_every_key() -> None:
    tree = tomllib.loads(_uncommented((ROOT / "config/alertd.toml").read_text()))
    delivery = tree["delivery"]
    for table, model in (
        (tree["service"], ServiceSettings),
        (tree["api"], Api),
        (tree["store"], Store),
        (tree["feeds"], Feeds),
        (tree["retention"], Retention),
        ({**tree["officers"], "reminders": None}, Officers),
        (delivery, Delivery),
        (delivery["lifetime"], Lifetime),
        (delivery["retry"], Retrying),
    ):
        assert set(table) == set(fields_by_key(model)), model
    used = {key for table in tree["channels"].values() for key in table}
    assert set(fields_by_key(Common)) <= used


def test_the_shipped_configuration_shows_the_defaults() -> None:
    shipped_with = tomllib.loads((ROOT / "config/alertd.toml").read_text())
    assert Delivery.model_validate(shipped_with["delivery"]) == Delivery()
    assert Feeds.model_validate(shipped_with["feeds"]) == Feeds()
    assert Retention.model_validate(shipped_with["retention"]) == Retention()
    assert Officers.model_validate(shipped_with["officers"]) == Officers()
    assert "# reminders = " in (ROOT / "config/alertd.toml").read_text()


def _uncommented(text: str) -> str:
    """With the example keys and tables (`# key = …`, `# [table]`) switched on."""
    lines = []
    channels = False
    for line in text.splitlines():
        channels = channels or line.startswith("[channels.")
        bare = line.removeprefix("# ")
        example = channels and line.startswith("# ") and (bare.startswith("[") or " = " in bare.split('"')[0])
        if example and bare.startswith("ca_file"):
            continue
        lines.append(bare if example else line)
    return "\n".join(lines)
