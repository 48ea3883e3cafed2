"""JSON by a declared mapping, and who may have sent it."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr, ValidationError

from adapters.webhook.signature import Signer, secret_bytes, signed_headers
from alertd.domain.alert import Pair, Severity
from alertd.domain.geo import Point
from alertd.domain.signal import Colour, Heard
from alertd.ingest.hearing import Hearing
from alertd.ingest.readers import mapped, standard_webhooks
from alertd.ingest.readers.received import Received
from tests.support.desk_stand import DeskStand, spec, territory
from tests.unit.rules_stand import rule

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
FIELDS = {
    "key": {"path": "$.id"},
    "at": {"path": "$.when"},
    "zones": {"path": "$.areas[*]", "map": {"NORD": "048028", "SUD": "048017"}},
    "colour": {"path": "$.level", "map": {"RED": "rossa", "NONE": "verde"}},
    "severity": {"path": "$.level", "map": {"RED": "Extreme", "NONE": "Minor"}},
    "ended": {"path": "$.level", "map": {"RED": False, "NONE": True}},
    "event": {"value": "Livello della diga"},
    "value": {"path": "$.metres"},
    "unit": {"value": "m"},
    "lat": {"path": "$.pos[0]"},
    "lon": {"path": "$.pos[1]"},
    "headline": {"path": "$.text"},
    "fact.operator": {"path": "$.by"},
}
ITEM = {
    "id": "dam-1",
    "when": "2026-11-22T05:59:00Z",
    "areas": ["NORD", "SUD"],
    "level": "RED",
    "metres": "12.5",
    "pos": [43.7, 11.0],
    "text": "Diga oltre il livello",
    "by": "Consorzio",
}


def read(document: object, **options) -> Heard:
    config = mapped.Config(**{"fields": FIELDS, **options})
    return mapped.read(json.dumps(document).encode(), config, Received("dighe", NOW))


def test_every_field_from_its_path_its_constant_and_its_map():
    heard = read(ITEM)
    (signal,) = heard.signals
    assert not heard.violations
    assert (signal.key, signal.zones) == ("dam-1", ("048028", "048017"))
    assert (signal.colour, signal.severity, signal.ended) == (Colour.RED, Severity.EXTREME, False)
    assert (signal.event, signal.value, signal.unit, signal.point) == (
        "Livello della diga",
        12.5,
        "m",
        Point(43.7, 11.0),
    )
    assert signal.at == datetime(2026, 11, 22, 5, 59, tzinfo=UTC)
    assert signal.facts == (Pair("operator", "Consorzio"),)
    assert read({**ITEM, "level": "NONE"}).signals[0].ended


def test_the_revision_is_what_was_read_and_nothing_else():
    first = read(ITEM).signals[0].revision
    assert read({**ITEM, "unread": 1}).signals[0].revision == first
    assert read({**ITEM, "metres": 12.6}).signals[0].revision != first


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"level": "PURPLE"}, "[0].colour"),
        ({"areas": ["NORD", "EST"]}, "[0].zones"),
        ({"metres": "high"}, "[0].value"),
        ({"id": ""}, "[0].key"),
        ({"id": None}, "[0].key"),
        ({"pos": [99, 11]}, "[0].lat"),
    ],
)
def test_what_would_say_something_else_is_lost_whole(change, where):
    heard = read({**ITEM, **change})
    assert not heard.signals
    assert [(v.where, v.fatal) for v in heard.violations] == [(where, True)]


def test_what_can_be_spared_is_left_out():
    heard = read({**ITEM, "text": "a\0b", "when": "today", "by": ["x"]})
    (signal,) = heard.signals
    assert (signal.headline, signal.at, signal.facts) == ("", NOW, ())
    assert [v.where for v in heard.violations] == ["[0].at", "[0].headline", "[0].fact.operator"]


def test_the_name_given_twice_is_found_among_very_many():
    """Were each compared with all before it, this would take hours."""
    names = ",".join(f'"{number:x}":0' for number in range(300_000))
    config = mapped.Config.model_validate({"fields": {"key": {"value": "k"}}})
    heard = mapped.read(f'{{{names},"7f":0}}'.encode(), config, Received("dighe", NOW))
    assert [violation.message for violation in heard.violations] == ["names '7f' twice in one object"]


def test_several_items_in_one_payload():
    heard = read({"items": [ITEM, {**ITEM, "id": "dam-2"}, {**ITEM, "level": "?"}]}, each="$.items[*]")
    assert [signal.key for signal in heard.signals] == ["dam-1", "dam-2"]
    assert [v.where for v in heard.violations] == ["[2].colour"]
    assert read([], each="$[*]") == Heard(())


# --- status ---

STATUS = {
    "key": {"path": "$.id"},
    "revision": {"path": "$.status"},
    "status": {"path": "$.status", "map": {"firing": "stands", "resolved": "over"}},
}


def test_a_status_says_whether_it_stands_or_is_over():
    found = [read({"id": "x", "status": word}, fields=STATUS).signals[0] for word in ("firing", "resolved")]
    assert [(signal.stands, signal.ended) for signal in found] == [(True, False), (False, True)]
    assert [signal.revision for signal in found] == ["firing", "resolved"]
    plain = {"key": {"path": "$.id"}, "status": {"path": "$.status"}}
    assert read({"id": "x", "status": "over"}, fields=plain).signals[0].ended
    assert not read({"id": "x"}, fields=plain).signals[0].stands
    assert not read(ITEM).signals[0].stands


@pytest.mark.parametrize("word", ["pending", "", 1, True, ["firing"]])
def test_a_status_of_no_known_word_is_lost_whole(word):
    for fields in (STATUS, {**STATUS, "status": {"path": "$.status"}}):
        heard = read({"id": "x", "status": word}, fields={**fields, "revision": {"value": "r"}})
        assert not heard.signals
        assert [(v.where, v.fatal) for v in heard.violations] == [("[0].status", True)]


async def test_what_still_stands_is_told_anew_when_its_alert_has_ended_by_itself():
    repeated = {**STATUS, "ended": {"path": "$.status", "map": {"firing": False, "resolved": True}}}
    del repeated["status"]
    for fields, raised in ((STATUS, ["raise", "raise", "clear"]), (repeated, ["raise"])):
        stand = DeskStand(rule(match={"source": "monitor"}))
        await stand.start()
        hearing = Hearing(spec("monitor", "webhook", fields=fields), territory)
        for word, hours in (("firing", 0), ("firing", 6), ("firing", 7), ("resolved", 1)):
            await stand.clock.jump(hours * 3600)
            await stand.desk.tick()
            payload = json.dumps({"id": "x", "status": word}).encode()
            await stand.desk.take(hearing, hearing.heard(payload, stand.clock.now()))
        assert [step[0] for step in stand.core.steps] == raised


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {**STATUS, "ended": {"value": False}},
        {**STATUS, "status": {"path": "$.status", "map": {"firing": "burning"}}},
        {**STATUS, "status": {"value": True}},
        {"event": {"value": "x"}},
        {"key": {"path": "$.id", "value": "x"}},
        {"key": {}},
        {"key": {"path": "id"}},
        {"key": {"path": "$.id"}, "sirens": {"value": "on"}},
        {"key": {"path": "$.id"}, "lat": {"path": "$.lat"}},
    ],
)
def test_a_mapping_that_cannot_be_meant_is_refused(fields):
    with pytest.raises(ValidationError):
        mapped.Config(fields=fields)


# --- Standard Webhooks ---

SECRET = SecretStr("whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode())
OLD = SecretStr("whsec_" + base64.b64encode(b"another key of some length").decode())
BODY = b'{"id": "dam-1"}'


def headers(secret: SecretStr = SECRET, at: datetime = NOW, body: bytes = BODY) -> dict[str, str]:
    return signed_headers(Signer(secret_bytes(secret)), message_id="msg_1", now=at, body=body)


def test_the_vector_of_the_specification():
    """From the Standard Webhooks reference libraries' own tests."""
    verifier = standard_webhooks.Verifier([SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")])
    given = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    body = b'{"test": 2432232314}'
    assert verifier.verify(given, body, datetime.fromtimestamp(1614265330, UTC)) == "msg_p5jXN8AQM9LWM0D4loKWxJek"


def test_one_good_signature_by_one_of_our_keys_is_enough():
    verifier = standard_webhooks.Verifier([SECRET, OLD])
    assert verifier.verify(headers(), BODY, NOW) == "msg_1"
    assert verifier.verify(headers(OLD), BODY, NOW) == "msg_1"
    several = {**headers(), "webhook-signature": f"v1a,x v1,AAAA {headers()['webhook-signature']}"}
    assert verifier.verify(several, BODY, NOW) == "msg_1"


@pytest.mark.parametrize("seconds", [-300, 299, 300])
def test_within_five_minutes(seconds):
    assert standard_webhooks.Verifier([SECRET]).verify(headers(at=NOW + timedelta(seconds=seconds)), BODY, NOW)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"webhook-id": ""}, "webhook-id"),
        ({"webhook-id": "a b"}, "webhook-id"),
        ({"webhook-id": "msg_2"}, "not ours"),
        ({"webhook-timestamp": "soon"}, "webhook-timestamp"),
        ({"webhook-timestamp": "9" * 13}, "webhook-timestamp"),
        ({"webhook-signature": ""}, "no signature"),
        ({"webhook-signature": "v1a,abc v2,def"}, "no signature"),
        ({"webhook-signature": "v1,"}, "not ours"),
        ({"webhook-signature": "v1,é\udcff"}, "not ours"),
        ({"webhook-signature": "v1,AAAA " * 100}, "not ours"),
        (headers(OLD), "not ours"),
        (headers(body=b"{}"), "not ours"),
        (headers(at=NOW - timedelta(seconds=301)), "old"),
        (headers(at=NOW + timedelta(seconds=301)), "ahead of our clock"),
    ],
)
def test_what_is_not_proven_is_refused_with_its_reason(change, message):
    with pytest.raises(standard_webhooks.Unverified, match=message):
        standard_webhooks.Verifier([SECRET]).verify({**headers(), **change}, BODY, NOW)


def test_a_secret_that_is_none_is_refused_without_being_shown():
    with pytest.raises(ValidationError) as caught:
        standard_webhooks.Config(secrets=["whsec_not base64!"])
    assert "not base64" not in str(caught.value)
    assert standard_webhooks.Config(secrets=["plain"]).secrets[0].get_secret_value() == "plain"
