"""Info, resource and area (CAP 1.2, 3.2.2 to 3.2.4) → the domain's values.

What is mandatory there and is missing does not refuse the alert: a text becomes empty, urgency, severity and certainty
CAP's own Unknown, and the violation is said. No category is made up.
"""

from typing import Final

from lxml import etree

from alertd.cap import takes
from alertd.cap.context import Context, Step, Values, steps, walk
from alertd.cap.making import blank, maker
from alertd.cap.vocabulary import AREA, CATEGORIES, CERTAINTIES, INFO, RESOURCE, RESPONSES, SEVERITIES, URGENCIES, local
from alertd.domain.alert import Area, Certainty, Info, Resource, Severity, Urgency

_MANY: Final = ("category", "response_type", "event_code", "parameter", "resource", "area")
_UNKNOWN: Final = {"urgency": Urgency.UNKNOWN, "severity": Severity.UNKNOWN, "certainty": Certainty.UNKNOWN}
_make_info, _make_resource = maker(Info), maker(Resource)
_Area: Final = blank(Area)


def info(context: Context, element: etree._Element, field: str, got: Values) -> None:
    most = context.document.limits.infos
    if len(got.get(field, ())) == most:
        context.notes.add(element, f"more than {most:,} infos; this one is not read", fatal=True)
        context.passed(element)
        return
    read = walk(context, element, _INFO[context.tags.namespace])
    _language(context, element, read)
    _needed(context, element, read)
    for name in _MANY:
        if name in read:
            read[name] = tuple(read[name])
    got.setdefault(field, []).append(_make_info(read))


def _language(context: Context, element: etree._Element, read: Values) -> None:
    language = (read.get("language") or "").strip()
    if not language and "language" in read:
        context.notes.add(element, f"language is empty; read as {context.document.language}")
    read["language"] = language or context.document.language


def _needed(context: Context, element: etree._Element, read: Values) -> None:
    if "category" not in read:
        read["category"] = ()
        if context.version != "1.0":  # which could do without one
            context.notes.add(element, "info has no category")
    if "event" not in read:
        read["event"] = ""
        context.notes.add(element, "info has no event")
    for name, unknown in _UNKNOWN.items():
        if read.get(name) is None:
            if name not in read:
                context.notes.add(element, f"info has no {name}; read as {unknown}")
            read[name] = unknown


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
    if "area_desc" not in read:
        _wanted(context, element, read, "area_desc", "areaDesc")
    made = _Area()
    made.area_desc, made.zones = read["area_desc"], ()
    made.polygons = tuple(read["polygons"]) if "polygons" in read else ()
    made.circles = tuple(read["circles"]) if "circles" in read else ()
    made.geocodes = tuple(read["geocodes"]) if "geocodes" in read else ()
    made.altitude, made.ceiling = read.get("altitude"), read.get("ceiling")
    made.__class__ = Area
    if field in got:
        got[field].append(made)
    else:
        got[field] = [made]


def _wanted(context: Context, element: etree._Element, read: Values, field: str, name: str) -> None:
    if field not in read:
        read[field] = ""
        context.notes.add(element, f"{local(element.tag)} has no {name}")


_AREA_FIELDS: Final[dict[str, Step]] = {
    "areaDesc": ("area_desc", None, None),
    "polygon": ("polygons", takes.drawn, None),
    "circle": ("circles", takes.round_, None),
    "geocode": ("geocodes", None, takes.pair),
    "altitude": ("altitude", takes.height, None),
    "ceiling": ("ceiling", takes.height, None),
}
_RESOURCE_FIELDS: Final[dict[str, Step]] = {
    "resourceDesc": ("resource_desc", None, None),
    "mimeType": ("mime_type", None, None),
    "size": ("size", takes.size, None),
    "uri": ("uri", None, None),
    "derefUri": ("deref_uri", takes.embedded, None),
    "digest": ("digest", None, None),
}
_INFO_FIELDS: Final[dict[str, Step]] = {
    "language": ("language", None, None),
    "category": ("category", takes.words(CATEGORIES), None),
    "event": ("event", None, None),
    "responseType": ("response_type", takes.words(RESPONSES), None),
    "urgency": ("urgency", takes.word(URGENCIES), None),
    "severity": ("severity", takes.word(SEVERITIES), None),
    "certainty": ("certainty", takes.word(CERTAINTIES), None),
    "audience": ("audience", None, None),
    "eventCode": ("event_code", None, takes.pair),
    "effective": ("effective", takes.time, None),
    "onset": ("onset", takes.time, None),
    "expires": ("expires", takes.time, None),
    "senderName": ("sender_name", None, None),
    "headline": ("headline", None, None),
    "description": ("description", None, None),
    "instruction": ("instruction", None, None),
    "web": ("web", None, None),
    "contact": ("contact", None, None),
    "parameter": ("parameter", None, takes.pair),
    "resource": ("resource", None, resource),
    "area": ("area", None, area),
}
_AREA: Final = steps(AREA, _AREA_FIELDS)
_RESOURCE: Final = steps(RESOURCE, _RESOURCE_FIELDS)
_INFO: Final = steps(INFO, _INFO_FIELDS)
