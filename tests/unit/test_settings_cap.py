"""[cap] in the configuration: what is wrong with a key, a certificate or an installation is said once, by its key."""

import importlib.util
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from typer.testing import CliRunner

from alertd.cli import app
from alertd.sandbox.fake import FakeAdapter
from alertd.settings import ConfigError, ConfigProblem, Settings, load, load_to_start
from alertd.settings import cap as cap_settings
from tests.support.cap_signers import Signer, elliptic, now

SIGN = '[cap]\nsign = true\nkey = {file = "cap.key"}\ncertificate = {file = "cap.pem"}\n'
FEED = '[sources.regione]\nreader = "cap_feed"\nurl = "https://feeds.example.org/cap.atom"\n'


def read(folder: Path, text: str, how: Callable[..., Settings] = load, **environ: str) -> Settings:
    file = folder / "alertd.toml"
    file.write_text('[channels.people]\nadapter = "fake"\n' + text)
    return how(file, environ=environ, adapters={"fake": lambda: FakeAdapter})


def problems(folder: Path, text: str, **environ: str) -> tuple[ConfigProblem, ...]:
    with pytest.raises(ConfigError) as caught:
        read(folder, text, **environ)
    return caught.value.problems


@pytest.fixture
def town(tmp_path: Path) -> Signer:
    signer = elliptic(at=now())
    signer.write(tmp_path)
    return signer


def test_nothing_is_signed_and_nobody_trusted_unless_asked(tmp_path: Path) -> None:
    cap = read(tmp_path, "").cap
    assert (cap.signer, cap.mark, cap.seal(b"x")) == (None, "", b"x")
    assert cap.trust.anchors == ()
    assert not cap.trust.required


def test_key_and_certificate_from_files_or_credentials(tmp_path: Path, town: Signer) -> None:
    of_files = read(tmp_path, SIGN).cap
    text = '[cap]\nsign = true\nkey = {credential = "cap.key"}\ncertificate = {credential = "cap.pem"}\n'
    of_credentials = read(tmp_path, text, CREDENTIALS_DIRECTORY=str(tmp_path)).cap
    assert of_files.mark == of_credentials.mark == town.sealer.mark
    assert of_files.seal(b"<alert/>") == of_credentials.seal(b"<alert/>") == town.sign(b"<alert/>")


def test_the_key_is_never_shown(tmp_path: Path, town: Signer) -> None:
    secret = town.key_pem.decode().splitlines()[1]
    assert secret not in repr(read(tmp_path, SIGN))
    [problem] = problems(tmp_path, f'[cap]\nsign = true\ncertificate = {{file = "cap.pem"}}\nkey = """{secret}"""\n')
    assert problem.key == "cap.key"
    assert secret not in str(problem)


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ("[cap]\nsign = true\n", "cap.key", "is missing"),
        (SIGN.replace("cap.key", "none.key"), "cap.key", "none.key cannot be read"),
        (SIGN.replace("cap.key", "cap.pem"), "cap.key", "cap.pem: is not an unencrypted private key"),
        (SIGN.replace("cap.pem", "cap.key"), "cap.certificate", "cap.key: holds no certificate"),
        (SIGN.replace("cap.pem", "other.pem"), "cap.certificate", "other.pem: the first certificate is not that of"),
        (SIGN.replace("cap.pem", "old.pem"), "cap.certificate", "old.pem: the certificate of CN=Comune expired on"),
        (SIGN.replace("cap.pem", "soon.pem"), "cap.certificate", "soon.pem: the certificate of CN=Comune holds only"),
        ('[cap]\nsigned = "always"\n', "cap.signed", "'optional' or 'required'"),
        ('[cap]\nsigned = "required"\n', "cap.trusted", "nobody is trusted"),
        ('[cap]\ntrusted = "none.pem"\n', "cap.trusted", "none.pem cannot be read"),
        ('[cap]\ntrusted = "cap.key"\n', "cap.trusted", "cap.key holds no certificates"),
        ("[cap]\nsing = true\n", "cap.sing", "there is no such key"),
        (FEED + 'signed = "required"\n', "sources.regione.trusted", "nobody is trusted"),
        (FEED + 'trusted = "none.pem"\n', "sources.regione.trusted", "none.pem cannot be read"),
        (FEED + 'signed = "yes"\n', "sources.regione.signed", "'optional' or 'required'"),
        ('[sources.a]\nreader = "number"\nsigned = "required"\n', "sources.a.signed", "never signed"),
        ('[sources.a]\nreader = "number"\ntrusted = "cap.pem"\n', "sources.a.trusted", "never signed"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, town: Signer, text: str, key: str, says: str) -> None:
    elliptic("Somebody").write(tmp_path, "other")
    for name, away in (("old", -60), ("soon", 60)):
        Signer(town.key, "Comune", at=now() + timedelta(days=away)).write(tmp_path, name)
    found = problems(tmp_path, text)
    problem = found[0]
    assert problem.key == key
    assert says in problem.wrong
    assert problem.right or "no such key" in problem.wrong
    assert len(found) == (2 if text == "[cap]\nsign = true\n" else 1)


@pytest.mark.parametrize(("text", "key"), [(SIGN, "cap.sign"), ('[cap]\ntrusted = "cap.pem"\n', "cap.trusted")])
def test_without_signxml(tmp_path: Path, town: Signer, monkeypatch: pytest.MonkeyPatch, text: str, key: str) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(cap_settings, "find_spec", lambda name: None if name == "signxml" else real(name))
    [problem] = problems(tmp_path, text)
    assert problem.key == key
    assert "alertd[cap-sign]" in problem.right


def test_a_certificate_that_expired_overnight_keeps_no_daemon_from_starting(tmp_path: Path, town: Signer) -> None:
    Signer(town.key, "Comune", at=now() - timedelta(days=60)).write(tmp_path)
    settings = read(tmp_path, SIGN + 'trusted = "none.pem"\nsigned = "required"\n', load_to_start)
    assert [problem.key for problem in settings.left_out] == ["cap.trusted", "cap.certificate"]
    assert settings.cap.signer is None
    assert settings.cap.trust.anchors == ()
    assert settings.cap.trust.required


@pytest.mark.parametrize("text", ['[cap]\nsign = "perhaps"\n', "cap = 3\n"])
def test_what_cannot_be_understood_does(tmp_path: Path, text: str) -> None:
    file = tmp_path / "bare.toml"
    file.write_text(text)
    with pytest.raises(ConfigError):
        load_to_start(file, environ={}, adapters={})


def test_whom_a_source_believes(tmp_path: Path, town: Signer) -> None:
    other = elliptic("Regione", at=now())
    other.write(tmp_path, "regione")
    everybody = '[cap]\ntrusted = "cap.pem"\n'
    own = 'trusted = "regione.pem"\nsigned = "required"\n'
    first, second, third = (
        read(tmp_path, text).ingest.sources["regione"].trust
        for text in (FEED, everybody + FEED, everybody + FEED + own)
    )
    assert (first.anchors, first.required) == ((), False)
    assert (second.anchors, second.required) == (town.trusted, False)
    assert (third.anchors, third.required) == (other.trusted, True)
    gauge = read(tmp_path, everybody + '[sources.a]\nreader = "number"\n').ingest.sources["a"]
    assert gauge.trust.anchors == ()


def test_a_source_whose_trust_changed_is_another_source(tmp_path: Path, town: Signer) -> None:
    before = read(tmp_path, '[cap]\ntrusted = "cap.pem"\n' + FEED).ingest.sources["regione"]
    assert before == read(tmp_path, '[cap]\ntrusted = "cap.pem"\n' + FEED).ingest.sources["regione"]
    elliptic("Renewed", at=now()).write(tmp_path)
    assert before != read(tmp_path, '[cap]\ntrusted = "cap.pem"\n' + FEED).ingest.sources["regione"]


@pytest.mark.parametrize(
    ("days", "says"), [(31.5, []), (29.5, ["in 29 days"]), (0.1, ["in 0 days"])], ids=["far", "soon", "today"]
)
def test_a_certificate_that_ends_soon_is_a_warning(tmp_path: Path, days: float, says: list[str]) -> None:
    Signer(ec.generate_private_key(ec.SECP256R1()), "Comune", at=now(), days=days).write(tmp_path)
    fading = list(read(tmp_path, SIGN).cap.fading(now()))
    assert len(fading) == len(says)
    assert all(text in line and "Comune" not in line for text, line in zip(says, fading, strict=True))


def test_the_check_says_it_in_one_block(tmp_path: Path, town: Signer) -> None:
    file = tmp_path / "town.toml"
    file.write_text(f'[service]\nstate = "{tmp_path}/state"\n{SIGN}')
    done = CliRunner().invoke(app, ["check", "--config", str(file)])
    assert (done.exit_code, "Warning: the certificate that CAP documents are signed with ends" in done.stdout) == (
        0,
        True,
    )
    (tmp_path / "cap.pem").write_bytes(elliptic("Somebody", at=now()).pem)
    done = CliRunner().invoke(app, ["check", "--config", str(file)])
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception).count("wrong:") == 1
    assert f"{tmp_path}/cap.pem: the first certificate is not that of the key" in str(done.exception)


def test_one_that_ended_while_it_was_in_use_says_so(tmp_path: Path, town: Signer) -> None:
    cap = read(tmp_path, SIGN + 'trusted = "cap.pem"\n').cap
    lines = list(cap.fading(now() + timedelta(days=40)))
    assert len(lines) == 2
    assert all("expired on" in line for line in lines)
    assert "cap.trusted" in lines[1]
