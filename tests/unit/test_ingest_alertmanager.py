"""Alertmanager's and Grafana's webhooks: firing begins, resolved ends, and a repeated notification is no news."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alertd.domain.alert import Pair, Severity
from alertd.domain.signal import Heard
from alertd.ingest.readers import alertmanager
from alertd.ingest.readers.received import Received

SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "sensors"
needs_samples = pytest.mark.skipif(not SAMPLES.exists(), reason="no ../shared/samples/sensors beside this clone")
NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
OPEN = "0001-01-01T00:00:00Z"

FIRING = {
    "status": "firing",
    "labels": {"alertname": "Idrometro", "severity": "warning", "instance": "pesa-1", "zone": "048028"},
    "annotations": {"summary": "Pesa oltre soglia: 2.1 m"},
    "startsAt": "2026-11-22T05:30:00.123456789Z",
    "endsAt": OPEN,
    "fingerprint": "f1",
}


def read(*alerts: object, config: alertmanager.Config | None = None, **message) -> Heard:
    body = {"version": "4", "alerts": list(alerts), **message}
    return alertmanager.read(json.dumps(body).encode(), config or alertmanager.Config(), Received("prom", NOW))


def test_a_firing_alert():
    heard = read(FIRING)
    (signal,) = heard.signals
    assert not heard.violations
    assert signal.key == "f1@2026-11-22T05:30:00.123456789Z"
    assert (signal.event, signal.headline) == ("Idrometro", "Pesa oltre soglia: 2.1 m")
    assert (signal.severity, signal.zones, signal.sensor) == (Severity.MODERATE, ("048028",), "pesa-1")
    assert (signal.ended, signal.expires) == (False, None)
    assert signal.at == signal.onset == datetime(2026, 11, 22, 5, 30, 0, 123456, tzinfo=UTC)
    assert Pair("label.alertname", "Idrometro") in signal.facts


def test_a_repeat_says_the_same_although_its_annotation_holds_a_new_reading():
    (first,) = read(FIRING).signals
    (again,) = read({**FIRING, "annotations": {"summary": "Pesa oltre soglia: 2.2 m"}, "values": {"A": 2.2}}).signals
    assert (first.key, first.revision) == (again.key, again.revision)


def test_resolved_ends_the_same_matter_and_a_new_start_is_another():
    (firing,) = read(FIRING).signals
    (over,) = read({**FIRING, "status": "resolved", "endsAt": "2026-11-22T05:50:00Z"}).signals
    assert (over.key, over.ended) == (firing.key, True)
    assert over.revision != firing.revision
    assert over.at == datetime(2026, 11, 22, 5, 50, tzinfo=UTC)
    (later,) = read({**FIRING, "startsAt": "2026-11-22T05:55:00Z"}).signals
    assert later.key != firing.key


def test_resolved_with_an_open_end_is_over_when_it_arrived():
    heard = read({**FIRING, "status": "resolved"})
    assert (heard.signals[0].ended, heard.signals[0].at) == (True, NOW)
    assert [violation.where for violation in heard.violations] == ["alerts[0].endsAt"]


def test_severities_are_what_the_configuration_says_and_an_unknown_one_is_left_open():
    config = alertmanager.Config(severities={"rosso": Severity.EXTREME}, severity_label="colore", zone_label="area")
    labels = {"alertname": "x", "colore": "rosso", "area": "N"}
    assert read({**FIRING, "labels": labels}, config=config).signals[0].severity is Severity.EXTREME
    heard = read({**FIRING, "labels": {**labels, "colore": "blu"}}, config=config)
    assert heard.signals[0].severity is None
    assert [violation.where for violation in heard.violations] == ["alerts[0].labels.colore"]


def test_what_the_sender_cut_off_is_a_violation():
    heard = read(FIRING, truncatedAlerts=3)
    assert len(heard.signals) == 1
    assert [(v.where, v.fatal) for v in heard.violations] == [("truncatedAlerts", True)]
    assert [v.where for v in read(FIRING, version="3").violations] == ["version"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"status": "pending"}, "alerts[1].status"),
        ({"labels": None}, "alerts[1].labels"),
        ({"fingerprint": None}, "alerts[1]"),
        ({"startsAt": "soon"}, "alerts[1]"),
        ({"startsAt": OPEN}, "alerts[1]"),
    ],
)
def test_one_alert_that_cannot_be_read_does_not_harm_the_others(change, where):
    heard = read(FIRING, {**FIRING, **change})
    assert [signal.key for signal in heard.signals] == ["f1@2026-11-22T05:30:00.123456789Z"]
    assert [(v.where, v.fatal) for v in heard.violations] == [(where, True)]


def test_texts_no_template_could_carry_are_left_out():
    heard = read({**FIRING, "annotations": {"summary": "a\x1b[31m", "long": "x" * 3_000}})
    assert heard.signals[0].headline == ""
    assert len(heard.violations) == 3
    assert not any(violation.fatal for violation in heard.violations)


@needs_samples
def test_the_documented_messages():
    for name, event, zones in (
        ("alertmanager_v4_docs_shape.json", "HighCPU", ()),
        ("grafana_webhook_docs.json", "High memory usage", ("us-1",)),
    ):
        payload = (SAMPLES / name).read_bytes()
        heard = alertmanager.read(payload, alertmanager.Config(), Received("prom", NOW))
        (signal,) = heard.signals
        assert not heard.violations
        assert (signal.event, signal.zones, signal.ended) == (event, zones, False)
    assert Pair("value.C", "1") in signal.facts
    assert signal.onset == datetime(2021, 10, 12, 7, 51, 3, 157076, tzinfo=UTC)
