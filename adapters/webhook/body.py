"""An alert as JSON, for another system: CAP 1.2 in snake_case, as in our own API, with its identity and our words.

What is absent is left out, as in CAP. Times are RFC 3339 with offset, except `sent` and the references, which
are CAP's text byte for byte.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import orjson

from alertd.domain.alert import Alert, Area, Info, Pair, Resource
from alertd.ports.adapter import Notice

_KEPT: Final = 8


def body_of(notice: Notice) -> bytes:
    """The alert whole, in every language, with the notice's own `language`, `title`, `text` and `url`.

    Channels that are given the same notice share the bytes.
    """
    return _body(_This(notice))


class _This:
    """A notice as itself: to compare or hash its boundaries takes longer than to write it down."""

    __slots__ = ("notice",)

    def __init__(self, notice: Notice) -> None:
        self.notice = notice

    def __hash__(self) -> int:
        return id(self.notice)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _This) and other.notice is self.notice


@lru_cache(maxsize=_KEPT)
def _body(this: _This) -> bytes:
    notice = this.notice
    words = {
        "language": notice.language,
        "title": notice.title,
        "text": notice.text,
        "url": notice.url,
        "thread": notice.root,
    }
    return orjson.dumps(_present(_alert(notice.alert) | words))


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "id": alert.id,
        "identifier": alert.identifier,
        "sender": alert.sender,
        "sent": alert.sent,
        "purpose": alert.purpose,
        "status": alert.status,
        "msg_type": alert.msg_type,
        "scope": alert.scope,
        "source": alert.source,
        "restriction": alert.restriction,
        "addresses": alert.addresses,
        "code": alert.code,
        "note": alert.note,
        "references": [str(reference) for reference in alert.references],
        "incidents": alert.incidents,
        "info": [_info(info) for info in alert.info],
    }


def _info(info: Info) -> dict[str, Any]:
    return _present(
        {
            "language": info.language,
            "category": info.category,
            "event": info.event,
            "response_type": info.response_type,
            "urgency": info.urgency,
            "severity": info.severity,
            "certainty": info.certainty,
            "audience": info.audience,
            "event_code": _pairs(info.event_code),
            "effective": info.effective,
            "onset": info.onset,
            "expires": info.expires,
            "sender_name": info.sender_name,
            "headline": info.headline,
            "description": info.description,
            "instruction": info.instruction,
            "web": info.web,
            "contact": info.contact,
            "parameter": _pairs(info.parameter),
            "resource": [_resource(resource) for resource in info.resource],
            "area": [_area(area) for area in info.area],
        }
    )


def _area(area: Area) -> dict[str, Any]:
    return _present(
        {
            "area_desc": area.area_desc,
            "zones": area.zones,
            "polygon": [str(polygon) for polygon in area.polygons],
            "circle": [str(circle) for circle in area.circles],
            "geocode": _pairs(area.geocodes),
            "altitude": area.altitude,
            "ceiling": area.ceiling,
        }
    )


def _resource(resource: Resource) -> dict[str, Any]:
    return _present(
        {
            "resource_desc": resource.resource_desc,
            "mime_type": resource.mime_type,
            "size": resource.size,
            "uri": resource.uri,
            "deref_uri": resource.deref_uri,
            "digest": resource.digest,
        }
    )


def _pairs(pairs: Sequence[Pair]) -> list[dict[str, str]]:
    return [{"value_name": pair.value_name, "value": pair.value} for pair in pairs]


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None and value not in ((), [], "")}
