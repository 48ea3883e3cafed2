"""An Alert as a CAP 1.2 document (OASIS CAP-v1.2, section 3.2), written strictly.

The element order is the schema's. Times carry no fraction and UTC is `-00:00` (3.3.2); numbers are plain
decimals. Characters XML 1.0 cannot hold (section 2.2) are left out of texts and refused in what
identifies a message.

CAP has no element for the purpose. `<code>alertd:purpose=service</code>` says it where it is not emergency,
so that a document read back is never taken for more urgent than it was; other readers may ignore it (3.2.1,
code). Zones, channels and our own id stay in the house.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, tostring

from alertd.domain.alert import Alert, Area, Info, MsgType, Pair, Purpose, Resource, Scope
from alertd.domain.geo import Circle, Point
from alertd.domain.times import cap_time

NAMESPACE: Final = "urn:oasis:names:tc:emergency:cap:1.2"
MEDIA_TYPE: Final = "application/cap+xml"
PURPOSE_CODE: Final = "alertd:purpose="

_SENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[-+]\d\d:\d\d", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*")
_UNWRITABLE = re.compile(r"[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_IDENTIFYING = re.compile(r"[\s,<&]")
_ODD_IN_URI = re.compile(r'[\x00-\x20"<>\\^`{|}\x7f-\x9f\u2028\u2029]|%(?![0-9A-Fa-f]{2})')
_CHAR = r"[^\x00-\x20\"<>\\^`{|}\x7f/?#\[\]@:]"
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*:"
_PATH = rf"(?:{_CHAR}|[@:/])*"
_HOST = rf"(?:(?:{_CHAR}|:)*@)?(?:\[[0-9A-Fa-f:.]+\]|{_CHAR}*)(?::\d{{1,5}})?"
_URI = re.compile(
    rf"(?:(?:{_SCHEME})?//{_HOST}(?:/{_PATH})?|{_SCHEME}(?!//){_PATH}|(?!//)(?:{_CHAR}|@)*(?:/{_PATH})?)"
    rf"(?:\?(?:{_CHAR}|[@:/?])*)?(?:\#(?:{_CHAR}|[@:/?])*)?"
)


def write(alert: Alert) -> bytes:
    """The document in UTF-8. Raises ValueError naming the element that CAP cannot hold as it is."""
    root = Element(_tag("alert"))
    _put(root, "identifier", _identifying("identifier", alert.identifier))
    _put(root, "sender", _identifying("sender", alert.sender))
    _put(root, "sent", _sent(alert.sent))
    _put(root, "status", alert.status)
    _put(root, "msgType", alert.msg_type)
    _put(root, "source", alert.source)
    _put(root, "scope", alert.scope)
    _put(root, "restriction", _needed("restriction", alert.restriction, alert.scope is Scope.RESTRICTED))
    _put(root, "addresses", _needed("addresses", alert.addresses, alert.scope is Scope.PRIVATE))
    _put_all(root, "code", _codes(alert))
    _put(root, "note", alert.note)
    _put(root, "references", _references(alert))
    _put(root, "incidents", alert.incidents)
    for info in alert.info:
        _info(SubElement(root, _tag("info")), info)
    document: bytes = tostring(root, encoding="UTF-8", xml_declaration=True, default_namespace=NAMESPACE)
    return document


def _info(to: Element, info: Info) -> None:
    if not info.category:
        raise ValueError("category: an info needs at least one")
    _put(to, "language", _language(info.language))
    _put_all(to, "category", info.category)
    _put(to, "event", info.event)
    _put_all(to, "responseType", info.response_type)
    _put(to, "urgency", info.urgency)
    _put(to, "severity", info.severity)
    _put(to, "certainty", info.certainty)
    _put(to, "audience", info.audience)
    _pairs(to, "eventCode", info.event_code)
    _put(to, "effective", _time(info.effective))
    _put(to, "onset", _time(info.onset))
    _put(to, "expires", _time(info.expires))
    _put(to, "senderName", info.sender_name)
    _put(to, "headline", info.headline)
    _put(to, "description", info.description)
    _put(to, "instruction", info.instruction)
    _put(to, "web", _uri(info.web))
    _put(to, "contact", info.contact)
    _pairs(to, "parameter", info.parameter)
    for resource in info.resource:
        _resource(SubElement(to, _tag("resource")), resource)
    for area in info.area:
        _area(SubElement(to, _tag("area")), area)


def _resource(to: Element, resource: Resource) -> None:
    _put(to, "resourceDesc", resource.resource_desc)
    _put(to, "mimeType", resource.mime_type)
    _put(to, "size", None if resource.size is None else str(resource.size))
    _put(to, "uri", _uri(resource.uri))
    _put(to, "derefUri", resource.deref_uri)
    _put(to, "digest", resource.digest)


def _area(to: Element, area: Area) -> None:
    _put(to, "areaDesc", area.area_desc)
    _put_all(to, "polygon", (" ".join(map(_point, polygon.points)) for polygon in area.polygons))
    _put_all(to, "circle", map(_circle, area.circles))
    _pairs(to, "geocode", area.geocodes)
    _put(to, "altitude", _decimal(area.altitude))
    _put(to, "ceiling", _decimal(area.ceiling))


# --- elements ---


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


def _put(to: Element, name: str, text: str | None) -> None:
    if text is not None:
        SubElement(to, _tag(name)).text = writable(text)


def _put_all(to: Element, name: str, texts: Iterable[str]) -> None:
    for text in texts:
        _put(to, name, text)


def _pairs(to: Element, name: str, pairs: Iterable[Pair]) -> None:
    for pair in pairs:
        element = SubElement(to, _tag(name))
        _put(element, "valueName", pair.value_name)
        _put(element, "value", pair.value)


# --- values ---


def writable(text: str) -> str:
    """Line ends as XML reads them back, and nothing that XML cannot hold."""
    return _UNWRITABLE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def _identifying(name: str, text: str) -> str:
    if not text or _IDENTIFYING.search(text) or _UNWRITABLE.search(text):
        raise ValueError(f"{name}: {text!r} may not be empty or hold a space, a comma, < or & (CAP 3.2.1)")
    return text


def _needed(name: str, text: str | None, needed: bool) -> str | None:  # noqa: FBT001
    if needed and not writable(text or "").strip():
        raise ValueError(f"{name}: this scope needs it (CAP 3.2.1)")
    return text


def _sent(text: str) -> str:
    if not _SENT.fullmatch(text):
        raise ValueError(f"sent: {text!r} is not YYYY-MM-DDThh:mm:ss±hh:mm")
    return text


def _language(tag: str) -> str:
    if not _LANGUAGE.fullmatch(tag):
        raise ValueError(f"language: {tag!r} is not a language tag")
    return tag


def _codes(alert: Alert) -> Iterable[str]:
    said = any(code.startswith(PURPOSE_CODE) for code in alert.code)
    if alert.purpose is Purpose.EMERGENCY or said:
        return alert.code
    return (*alert.code, f"{PURPOSE_CODE}{alert.purpose}")


def _references(alert: Alert) -> str | None:
    if not alert.references:
        if alert.msg_type is not MsgType.ALERT:
            raise ValueError(f"references: a message of type {alert.msg_type} needs them (CAP 3.2.1)")
        return None
    return " ".join(map(str, alert.references))


def _time(moment: datetime | None) -> str | None:
    """In its own offset; no offset, or one of odd seconds, becomes UTC, which CAP writes `-00:00`."""
    if moment is None:
        return None
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError(f"{moment}: a CAP time needs an offset")
    return cap_time(moment if offset and not offset % timedelta(minutes=1) else moment.astimezone(UTC))


def _decimal(number: float | None) -> str | None:
    """As xs:decimal, which knows no exponent."""
    if number is None:
        return None
    value = Decimal(repr(number))
    if not value.is_finite():
        raise ValueError(f"{number} is not a decimal number")
    return format(value, "f")


def _point(point: Point) -> str:
    return f"{_decimal(point.lat)},{_decimal(point.lon)}"


def _circle(circle: Circle) -> str:
    return f"{_point(circle.center)} {_decimal(circle.radius_km)}"


def _uri(text: str | None) -> str | None:
    """As it is where it is an xs:anyURI (letters of all scripts are); else what no IRI may hold is percent-encoded."""
    if text is None:
        return None
    uri = _ODD_IN_URI.sub(lambda found: quote(found[0], safe=""), writable(text).strip())
    return uri if _URI.fullmatch(uri) else quote(uri, safe="/%")
