"""[sources], [templates] and [[rules]] in the configuration: what is wrong is named with its key and what would do."""

from pathlib import Path

import pytest

from alertd.ingest.source import Polled, Pushed, Subscribed
from alertd.sandbox.fake import FakeAdapter
from alertd.settings import ConfigError, Settings, load, load_to_start

TEMPLATE = '[templates.piena]\ncategory = ["Met"]\n[templates.piena.text.it-IT]\nevent = "Piena {value} {unit}"\n'
PESA = '[sources.pesa]\nreader = "number"\n'
RULE = '[[rules]]\nname = "piena"\ntemplate = "piena"\nzones = ["048028"]\nmatch = {source = "pesa"}\n'


def read(folder: Path, text: str, **environ: str) -> Settings:
    file = folder / "alertd.toml"
    file.write_text('[channels.people]\nadapter = "fake"\n' + text)
    return load(file, environ=environ, adapters={"fake": lambda: FakeAdapter})


def test_the_address_says_how_it_comes(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("s3cret\n")
    text = """
[sources.feed]
reader = "cap_feed"
url = "https://feeds.example.org/cap.atom"
every = "30s"
language = "it-IT"
[sources.gauge]
reader = "sensorthings"
url = "mqtts://broker.example.org"
topics = ["v1.1/+/Observations"]
username = "alertd"
password = {file = "pw"}
[sources.monitor]
reader = "alertmanager"
stale_after = "2h"
tell_officers = false
[sources.meteo]
reader = "meteoalarm"
url = "https://feeds.meteoalarm.org/api/v1/warnings/feeds-italy"
zones = ["IT016"]
language = "en"
"""
    sources = read(tmp_path, text).ingest.sources
    feed, gauge, monitor, meteo = (sources[name] for name in ("feed", "gauge", "monitor", "meteo"))
    assert isinstance(feed.way, Polled)
    assert (feed.language, feed.stale_after) == ("it-IT", 300.0)
    assert isinstance(gauge.way, Subscribed)
    assert (gauge.way.host, gauge.way.port, gauge.way.tls) == ("broker.example.org", 8883, True)
    assert gauge.way.password is not None
    assert gauge.way.password.get_secret_value() == "s3cret"
    assert isinstance(monitor.way, Pushed)
    assert (monitor.stale_after, monitor.tell_officers, meteo.tell_officers) == (7200.0, False, True)
    assert meteo.options.model_dump()["language"] == "en"


@pytest.mark.parametrize(
    ("text", "key", "says"),
    [
        ('[sources.a]\nurl = "https://x.org"', "sources.a.reader", "cap_feed"),
        ('[sources.a]\nreader = "sensorthing"', "sources.a.reader", "did you mean `sensorthings`?"),
        ('[sources.A]\nreader = "number"', "sources.A", "lower-case letters"),
        ("[sources]\na = 3", "sources.a", "is not a table"),
        ('[sources.a]\nreader = "number"\nurl = "ftp://x.org"', "sources.a.url", "is not an address"),
        ('[sources.a]\nreader = "number"\nurl = "https://[x"', "sources.a.url", "is not an address"),
        ('[sources.a]\nreader = "ingv"\nurl = "http://x.org"', "sources.a", "allow_http"),
        ('[sources.a]\nreader = "ingv"\nurl = "https://x.org"\nevery = "5s"', "sources.a.every", "30s to 1h"),
        ('[sources.a]\nreader = "ingv"\nurl = "https://x.org"\nevery = "2h"', "sources.a.every", "30s to 1h"),
        (
            '[sources.a]\nreader = "ingv"\nurl = "https://x.org"\nevry = "60s"',
            "sources.a.evry",
            "did you mean `every`?",
        ),
        ('[sources.a]\nreader = "number"\nurl = "mqtt://x"', "sources.a.topics", "is missing"),
        ('[sources.a]\nreader = "number"\nurl = "mqtt://x"\ntopics = ["a/#/b"]', "sources.a.topics.0", "topic filter"),
        ('[sources.a]\nreader = "cap_feed"', "sources.a.url", "a feed is polled"),
        ('[sources.a]\nreader = "dpc"\nurl = "https://x.org"', "sources.a.zones", "is missing"),
        (TEMPLATE.replace("{value}", "{valeu}"), "templates.piena.text", "{valeu} is no placeholder"),
        (TEMPLATE.replace("it-IT", '"italiano!"'), "templates.piena.text", "is not a language tag"),
        ('[templates.forward]\ncategory = ["Met"]', "templates.forward", "is not a name of a template"),
        (RULE + PESA, "rules.piena.template", "there is no such template"),
        (RULE + TEMPLATE, "rules.piena.match.source", "matches no source"),
        (RULE.replace('"piena"\nzones', '"forward"\nzones') + PESA, "rules.piena.match.source", "no CAP messages"),
        (
            RULE.replace("zones", 'channels = ["sms"]\nzones') + PESA + TEMPLATE,
            "rules.piena.channels",
            "no such channel",
        ),
        (
            '[sources.a]\nreader = "number"\nsensor = "x"\ntell_officers = "nobody"',
            "sources.a.tell_officers",
            "boolean",
        ),
        ("rules = 3\n", "rules", "is not a list"),
    ],
)
def test_what_is_wrong_is_named(text: str, key: str, says: str, tmp_path: Path) -> None:
    if text.startswith("rules ="):
        file = tmp_path / "alertd.toml"
        file.write_text(text)
        with pytest.raises(ConfigError) as refused:
            load(file, environ={}, adapters={})
    else:
        with pytest.raises(ConfigError) as refused:
            read(tmp_path, text)
    found = [problem for problem in refused.value.problems if problem.key.startswith(key)]
    assert found, refused.value
    assert says in str(found[0])


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    text = '[sources.a]\nreader = "webhook"\nsecrets = ["whsec_hunter2!!"]\n[sources.a.fields]\nkey = {path = "$.id"}\n'
    with pytest.raises(ConfigError) as refused:
        read(tmp_path, text)
    assert "hunter2" not in str(refused.value)
    assert "sources.a.secrets" in str(refused.value)


def test_a_rule_for_an_unknown_zone_is_refused(tmp_path: Path) -> None:
    from alertd.current import current_of

    with pytest.raises(ConfigError, match=r"rules\.piena\.zones"):
        current_of(read(tmp_path, RULE.replace("048028", "Atlantide") + PESA + TEMPLATE))


def test_what_is_faulty_keeps_a_daemon_from_starting_with_nothing_but_itself(tmp_path: Path) -> None:
    from alertd.current import starting

    good = PESA + TEMPLATE + RULE
    faulty = """
[sources.senza]
reader = "webhook"
secrets = [{env = "NOT_THERE"}]
[sources.senza.fields]
key = {path = "$.id"}
[sources.storta]
reader = "there is none"
[templates.rotta]
category = ["Nothing"]
"""
    rules = "".join(
        RULE.replace('name = "piena"', f'name = "{name}"').replace(old, new)
        for name, old, new in (
            ("muta", "pesa", "senza"),
            ("senza-parole", 'template = "piena"', 'template = "rotta"'),
            ("altrove", "048028", "Atlantide"),
        )
    )
    file = tmp_path / "alertd.toml"
    file.write_text('[channels.people]\nadapter = "fake"\n' + good + rules + faulty)
    current = starting(load_to_start(file, environ={}, adapters={"fake": lambda: FakeAdapter}))
    ingest = current.settings.ingest
    assert (list(ingest.sources), [rule.name for rule in ingest.rules]) == (["pesa"], ["piena"])
    said = " ".join(problem.key for problem in current.settings.left_out)
    for key in (
        "sources.senza",
        "sources.storta",
        "templates.rotta",
        "rules.muta",
        "rules.senza-parole",
        "rules.altrove",
    ):
        assert key in said
    with pytest.raises(ConfigError):
        load(file, environ={}, adapters={"fake": lambda: FakeAdapter})


def test_a_faulty_house_does_not_start(tmp_path: Path) -> None:
    file = tmp_path / "alertd.toml"
    file.write_text('[api]\nlisten = "nowhere"\n')
    with pytest.raises(ConfigError, match=r"api\.listen"):
        load_to_start(file, environ={}, adapters={})
