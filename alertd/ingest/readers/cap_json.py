"""CAP 1.2 as JSON with the element names of the XML in camelCase (as MeteoAlarm's API gives it), to an Alert.

All or nothing: where one element cannot be held by the model as it was said, there is no Alert.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeVar

from alertd.domain import alert as cap
from alertd.domain.geo import Circle, Polygon
from alertd.ingest.readers.json_in import mapping, sequence
from alertd.ingest.readers.received import Fault
from alertd.ingest.readers.values import moment, number, shown

DEFAULT_LANGUAGE: Final = "en-US"
"""CAP 1.2, 3.2.2: what is meant where an Info names none."""

_MANY: Final = 500
_ALERT: Final = frozenset(
    (
        *("identifier", "sender", "sent", "status", "msgType", "source", "scope", "restriction", "addresses"),
        *("code", "note", "references", "incidents", "info"),
    )
)
_INFO: Final = frozenset(
    (
        *("language", "category", "event", "responseType", "urgency", "severity", "certainty", "audience"),
        *("eventCode", "effective", "onset", "expires", "senderName", "headline", "description", "instruction"),
        *("web", "contact", "parameter", "resource", "area"),
    )
)
_RESOURCE: Final = frozenset((*("resourceDesc", "mimeType", "size", "uri", "derefUri", "digest"),))
_AREA: Final = frozenset((*("areaDesc", "polygon", "circle", "geocode", "altitude", "ceiling"),))

Word = TypeVar("Word", bound=StrEnum)
Value = TypeVar("Value")


def alert_of(document: Any) -> cap.Alert:
    """The Alert, with no id and no zones of ours. Raises Fault naming the element that keeps it from being one."""
    said = _Element(document, "alert", _ALERT)
    return cap.Alert(
        id="",
        identifier=said.text("identifier"),
        sender=said.text("sender"),
        sent=said.text("sent"),
        status=said.enumerated("status", cap.Status),
        msg_type=said.enumerated("msgType", cap.MsgType),
        scope=said.enumerated("scope", cap.Scope),
        purpose=cap.Purpose.EMERGENCY,
        info=tuple(_info(info, f"info[{i}]") for i, info in enumerate(said.every("info"))),
        source=said.optional("source"),
        restriction=said.optional("restriction"),
        addresses=said.optional("addresses"),
        code=said.texts("code"),
        note=said.optional("note"),
        references=references_of(said.optional("references")),
        incidents=said.optional("incidents"),
    )


def references_of(text: str | None) -> tuple[cap.Reference, ...]:
    """`sender,identifier,sent` separated by blanks (CAP 1.2, 3.2.1). Raises Fault."""
    references = []
    for one in (text or "").split():
        parts = one.split(",")
        if len(parts) != 3 or not all(parts):  # noqa: PLR2004
            raise Fault("references", f"{shown(one)} is not sender,identifier,sent")
        references.append(cap.Reference(*parts))
    return tuple(references)


def _info(document: Any, where: str) -> cap.Info:
    said = _Element(document, where, _INFO)
    return cap.Info(
        language=said.optional("language") or DEFAULT_LANGUAGE,
        category=said.enumerations("category", cap.Category),
        event=said.text("event"),
        urgency=said.enumerated("urgency", cap.Urgency),
        severity=said.enumerated("severity", cap.Severity),
        certainty=said.enumerated("certainty", cap.Certainty),
        response_type=said.enumerations("responseType", cap.ResponseType),
        audience=said.optional("audience"),
        event_code=said.pairs("eventCode"),
        effective=said.time("effective"),
        onset=said.time("onset"),
        expires=said.time("expires"),
        sender_name=said.optional("senderName"),
        headline=said.optional("headline"),
        description=said.optional("description"),
        instruction=said.optional("instruction"),
        web=said.optional("web"),
        contact=said.optional("contact"),
        parameter=said.pairs("parameter"),
        resource=tuple(_resource(one, f"{where}.resource[{i}]") for i, one in enumerate(said.every("resource"))),
        area=tuple(_area(one, f"{where}.area[{i}]") for i, one in enumerate(said.every("area"))),
    )


def _resource(document: Any, where: str) -> cap.Resource:
    said = _Element(document, where, _RESOURCE)
    size = said.amount("size")
    if size is not None and not size.is_integer():
        raise Fault(f"{where}.size", "is no whole number of bytes")
    return cap.Resource(
        resource_desc=said.text("resourceDesc"),
        mime_type=said.text("mimeType"),
        size=None if size is None else int(size),
        uri=said.optional("uri"),
        deref_uri=said.optional("derefUri"),
        digest=said.optional("digest"),
    )


def _area(document: Any, where: str) -> cap.Area:
    said = _Element(document, where, _AREA)
    return cap.Area(
        area_desc=said.text("areaDesc"),
        polygons=tuple(said.parsed("polygon", Polygon.parse, text) for text in said.texts("polygon")),
        circles=tuple(said.parsed("circle", Circle.parse, text) for text in said.texts("circle")),
        geocodes=said.pairs("geocode"),
        altitude=said.amount("altitude"),
        ceiling=said.amount("ceiling"),
    )


class _Element:
    """An element's members, each read as what it must be; a Fault names the member."""

    def __init__(self, document: Any, where: str, known: frozenset[str]) -> None:
        self._members: Mapping[str, Any] = mapping(document, where)
        self._where = where
        for name in self._members:
            if name not in known and self._members[name] is not None:
                raise Fault(f"{where}.{name[:40]}", "is no element of CAP")

    def _fault(self, name: str, message: str) -> Fault:
        return Fault(f"{self._where}.{name}", message)

    def optional(self, name: str) -> str | None:
        value = self._members.get(name)
        if value is not None and not isinstance(value, str):
            raise self._fault(name, f"{shown(value)} is not a text")
        return value

    def text(self, name: str) -> str:
        value = self.optional(name)
        if not value:
            raise self._fault(name, "is missing")
        return value

    def parsed(self, name: str, read: Callable[[Any], Value], value: Any) -> Value:
        try:
            return read(value)
        except ValueError as error:
            raise self._fault(name, str(error)) from None

    def enumerated(self, name: str, words: type[Word]) -> Word:
        return self.parsed(name, words, self.text(name))

    def enumerations(self, name: str, words: type[Word]) -> tuple[Word, ...]:
        return tuple(self.parsed(name, words, text) for text in self.texts(name))

    def time(self, name: str) -> datetime | None:
        value = self._members.get(name)
        return None if value is None else self.parsed(name, moment, value)

    def amount(self, name: str) -> float | None:
        value = self._members.get(name)
        return None if value is None else self.parsed(name, number, value)

    def every(self, name: str) -> list[Any]:
        """A member that may be repeated; one alone may stand without its array."""
        value = self._members.get(name)
        if value is None:
            return []
        return sequence(value, f"{self._where}.{name}", limit=_MANY) if isinstance(value, list) else [value]

    def texts(self, name: str) -> tuple[str, ...]:
        values = self.every(name)
        for value in values:
            if not isinstance(value, str):
                raise self._fault(name, f"{shown(value)} is not a text")
        return tuple(values)

    def pairs(self, name: str) -> tuple[cap.Pair, ...]:
        found = []
        for i, value in enumerate(self.every(name)):
            said = _Element(value, f"{self._where}.{name}[{i}]", frozenset({"valueName", "value"}))
            found.append(cap.Pair(said.text("valueName"), said.optional("value") or ""))
        return tuple(found)
