"""Info, resource and area (CAP 1.2, 3.2.2 to 3.2.4) → the domain's values.

What is mandatory there and is missing does not refuse the alert: a text becomes empty, urgency, severity and certainty
CAP's own Unknown, and the violation is said. No category is made up.
"""

from typing import Final

from lxml import etree

from alertd.cap import takes
from alertd.cap.context import Context, Step, Values, steps, walk
from alertd.cap.making import maker
from alertd.cap.vocabulary import AREA, CATEGORIES, CERTAINTIES, INFO, RESOURCE, RESPONSES, SEVERITIES, URGENCIES, local
from alertd.domain.alert import Area, Certainty, Info, Resource, Severity, Urgency

_MANY: Final = ("category", "response_type", "event_code", "parameter", "resource", "area")
_UNKNOWN: Final = {"urgency": Urgency.UNKNOWN, "severity": Severity.UNKNOWN, "certainty": Certainty.UNKNOWN}
_MANY_OF_AREA: Final = ("polygons", "circles", "geocodes")
_make_info, _make_resource, _make_area = maker(Info), maker(Resource), maker(Area)


def info(context: Context, element: etree._Element, field: str, got: Values) -> None:
    read = walk(context, element, _INFO[context.tags.namespace])
    language = (read.get("language") or "").strip()
    if not language and "language" in read:
        context.notes.add(element, f"language is empty; read as {context.language}")
    read["language"] = language or context.language
    for name in _MANY:
        if name in read:
            read[name] = tuple(read[name])
    if "category" not in read:
        read["category"] = ()
        # CAP 1.0 could do without one.
        if context.version != "1.0":
            context.notes.add(element, "info has no category")
    if "event" not in read:
        read["event"] = ""
        context.notes.add(element, "info has no event")
    for name, unknown in _UNKNOWN.items():
        if read.get(name) is None:
            if name not in read:
                context.notes.add(element, f"info has no {name}; read as {unknown}")
            read[name] = unknown
    got.setdefault(field, []).append(_make_info(read))


def resource(context: Context, element: etree._Element, field: str, got: Values) -> None:
    read = walk(context, element, _RESOURCE[context.tags.namespace])
    _wanted(context, element, read, "resource_desc", "resourceDesc")
    if "mime_type" not in read:
        read["mime_type"] = ""
        if context.strict:
            context.notes.add(element, "resource has no mimeType")
    got.setdefault(field, []).append(_make_resource(read))


def area(context: Context, element: etree._Element, field: str, got: Values) -> None:
    read = walk(context, element, _AREA[context.tags.namespace])
    _wanted(context, element, read, "area_desc", "areaDesc")
    for name in _MANY_OF_AREA:
        if name in read:
            read[name] = tuple(read[name])
    got.setdefault(field, []).append(_make_area(read))


def _wanted(context: Context, element: etree._Element, read: Values, field: str, name: str) -> None:
    if field not in read:
        read[field] = ""
        context.notes.add(element, f"{local(element.tag)} has no {name}")


_AREA_FIELDS: Final = {
    "areaDesc": Step("area_desc"),
    "polygon": Step("polygons", takes.drawn),
    "circle": Step("circles", takes.round_),
    "geocode": Step("geocodes", whole=takes.pair),
    "altitude": Step("altitude", takes.height),
    "ceiling": Step("ceiling", takes.height),
}
_RESOURCE_FIELDS: Final = {
    "resourceDesc": Step("resource_desc"),
    "mimeType": Step("mime_type"),
    "size": Step("size", takes.size),
    "uri": Step("uri"),
    "derefUri": Step("deref_uri", takes.embedded),
    "digest": Step("digest"),
}
_INFO_FIELDS: Final = {
    "language": Step("language"),
    "category": Step("category", takes.words(CATEGORIES)),
    "event": Step("event"),
    "responseType": Step("response_type", takes.words(RESPONSES)),
    "urgency": Step("urgency", takes.word(URGENCIES)),
    "severity": Step("severity", takes.word(SEVERITIES)),
    "certainty": Step("certainty", takes.word(CERTAINTIES)),
    "audience": Step("audience"),
    "eventCode": Step("event_code", whole=takes.pair),
    "effective": Step("effective", takes.time),
    "onset": Step("onset", takes.time),
    "expires": Step("expires", takes.time),
    "senderName": Step("sender_name"),
    "headline": Step("headline"),
    "description": Step("description"),
    "instruction": Step("instruction"),
    "web": Step("web"),
    "contact": Step("contact"),
    "parameter": Step("parameter", whole=takes.pair),
    "resource": Step("resource", whole=resource),
    "area": Step("area", whole=area),
}
_AREA: Final = steps(AREA, _AREA_FIELDS)
_RESOURCE: Final = steps(RESOURCE, _RESOURCE_FIELDS)
_INFO: Final = steps(INFO, _INFO_FIELDS)
