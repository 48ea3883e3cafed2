"""The webhook of Prometheus Alertmanager (version 4 of its message) and of Grafana Alerting, which has the same shape.

Notifications are delivered at least once and repeated while an alert fires, so a Signal's key is the fingerprint (of
the labels) with `startsAt`, and its revision is the status alone: annotations and Grafana's values hold readings that
change with every evaluation, and are no news. A repeat says that the alert `stands`.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from alertd.domain.alert import Pair, Severity
from alertd.domain.signal import Heard, Signal
from alertd.domain.texts import LIMITS
from alertd.ingest.readers.json_in import load, mapping, sequence
from alertd.ingest.readers.received import Fault, Notes, Options, Received, answers
from alertd.ingest.readers.values import facts_of, line, moment, word

MAX_MESSAGE: Final = 4 * 1024 * 1024
MAX_ALERTS: Final = 2_000
OPEN_END: Final = "0001-01-01T00:00:00Z"
STATUSES: Final = frozenset({"firing", "resolved"})


class Config(Options):
    """Which labels name the severity, the zone and the sensor, and what the severities in use there mean. A severity
    that is not listed is left open and noted."""

    severity_label: str = "severity"
    severities: Mapping[str, Severity] = {
        "critical": Severity.SEVERE,
        "warning": Severity.MODERATE,
        "info": Severity.MINOR,
    }
    zone_label: str = "zone"
    sensor_label: str = "instance"


@answers
def read(payload: bytes, config: Config, received: Received) -> Heard:
    """One signal for each alert of the notification; `ended` for those resolved. Labels, annotations and values are
    facts: `label.…`, `annotation.…`, `value.…`."""
    notes = Notes()
    message = mapping(load(payload, limit=MAX_MESSAGE), "payload")
    alerts = sequence(message.get("alerts"), "alerts", limit=MAX_ALERTS)
    _whole(message, notes)
    return notes.heard(_signals(alerts, config, received, notes))


def _whole(message: dict[str, Any], notes: Notes) -> None:
    """Grafana's `version` is "1" and often left out."""
    if message.get("version", "4") not in ("4", "1"):
        notes.odd("version", "is neither Alertmanager's 4 nor Grafana's 1")
    truncated = message.get("truncatedAlerts", 0)
    if truncated not in (0, None):
        notes.lost("truncatedAlerts", f"the sender left out {str(truncated)[:20]} alerts: raise its max_alerts")


def _signals(alerts: list[Any], config: Config, received: Received, notes: Notes) -> Iterator[Signal]:
    for i, alert in enumerate(alerts):
        where = f"alerts[{i}]"
        try:
            yield _signal(mapping(alert, where), where, config, received, notes)
        except Fault as fault:
            notes.fault(fault)
        except ValueError as error:
            notes.lost(where, str(error))


def _signal(alert: dict[str, Any], where: str, config: Config, received: Received, notes: Notes) -> Signal:
    status = alert.get("status")
    if not isinstance(status, str) or status not in STATUSES:
        raise Fault(f"{where}.status", "is neither firing nor resolved")
    labels = mapping(alert.get("labels"), f"{where}.labels")
    annotations = mapping(alert.get("annotations") or {}, f"{where}.annotations")
    fingerprint, started = word(alert.get("fingerprint"), 100), word(alert.get("startsAt"), 50)
    onset = moment(started)
    ended = status == "resolved"
    summary = annotations.get("summary", annotations.get("description"))
    return Signal(
        received.source,
        key=f"{fingerprint}@{started}",
        revision=status,
        at=_over(alert, received, notes, where) if ended else onset,
        event=line(labels.get("alertname"), LIMITS["event"], notes, f"{where}.labels.alertname"),
        zones=_zones(labels, config, notes, where),
        severity=_severity(labels, config, notes, where),
        sensor=line(labels.get(config.sensor_label), 300, notes, f"{where}.labels.{config.sensor_label}"),
        onset=onset,
        ended=ended,
        stands=not ended,
        headline=line(summary, LIMITS["headline"], notes, f"{where}.annotations.summary"),
        facts=_facts(alert, labels, annotations, notes, where),
    )


def _over(alert: dict[str, Any], received: Received, notes: Notes, where: str) -> datetime:
    """When it was over. The open end in a resolved alert is a contradiction that harms nobody."""
    try:
        return moment(alert.get("endsAt"))
    except ValueError:
        notes.odd(f"{where}.endsAt", "names no end though resolved: the time of arrival stands in its place")
        return received.at


def _zones(labels: dict[str, Any], config: Config, notes: Notes, where: str) -> tuple[str, ...]:
    zone = line(labels.get(config.zone_label), LIMITS["zone"], notes, f"{where}.labels.{config.zone_label}")
    return (zone,) if zone else ()


def _severity(labels: dict[str, Any], config: Config, notes: Notes, where: str) -> Severity | None:
    given = labels.get(config.severity_label)
    if given is None:
        return None
    severity = config.severities.get(given) if isinstance(given, str) else None
    if severity is None:
        notes.odd(f"{where}.labels.{config.severity_label}", f"{str(given)[:40]!r} is not among the severities listed")
    return severity


def _facts(
    alert: dict[str, Any], labels: dict[str, Any], annotations: dict[str, Any], notes: Notes, where: str
) -> tuple[Pair, ...]:
    values = alert.get("values")
    given = {
        **{f"label.{name}": value for name, value in labels.items()},
        **{f"annotation.{name}": value for name, value in annotations.items()},
        **({f"value.{name}": value for name, value in values.items()} if isinstance(values, dict) else {}),
        "generatorURL": alert.get("generatorURL"),
    }
    return facts_of(given, notes, where)
