"""Which lane an alert takes. Lower is sooner; lanes 0 and 1 are the emergency's own capacity."""

from alertd.domain.alert import Alert, Purpose, Severity, Urgency

PRESSING = 0
EMERGENCY = 1
SERVICE = 2
EVENT = 3

PRIORITIES = (PRESSING, EMERGENCY, SERVICE, EVENT)
RESERVED = frozenset({PRESSING, EMERGENCY})

_PRESSING_URGENCY = frozenset({Urgency.IMMEDIATE, Urgency.EXPECTED, Urgency.UNKNOWN})
_PRESSING_SEVERITY = frozenset({Severity.EXTREME, Severity.SEVERE, Severity.UNKNOWN})


def priority_of(alert: Alert) -> int:
    """Purpose first; within the emergency, urgency and severity. A Cancel of an emergency is pressing."""
    if alert.purpose is Purpose.SERVICE:
        return SERVICE
    if alert.purpose is Purpose.EVENT:
        return EVENT
    if not alert.info:
        return PRESSING
    pressing = any(i.urgency in _PRESSING_URGENCY and i.severity in _PRESSING_SEVERITY for i in alert.info)
    return PRESSING if pressing else EMERGENCY
