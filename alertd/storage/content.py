"""An Alert as JSON text and back, without loss."""

from typing import Final

from pydantic import TypeAdapter

from alertd.domain.alert import Alert

_ALERT: Final = TypeAdapter(Alert)


def dump_alert(alert: Alert) -> str:
    return _ALERT.dump_json(alert, exclude_defaults=True).decode()


def load_alert(content: str) -> Alert:
    return _ALERT.validate_json(content)
