"""The kinds of field requests are made of. What the alert's other end cannot carry is refused here, by name."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from alertd.domain.geo import Circle, Polygon
from alertd.domain.problems import NotFound

LINE_LENGTH = 1_000
TEXT_LENGTH = 50_000

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_BREAK = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]")
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}", re.ASCII)
_LINK = re.compile(r"https?://[^\s<>\"\\^`{|}\x00-\x1f\x7f]+")
_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


def _text(value: str) -> str:
    """XML 1.0, and so CAP, cannot carry most control characters."""
    if _NOT_XML.search(value):
        raise ValueError("control characters cannot be carried")
    return value


def _line(value: str) -> str:
    """A line break in a title would be a new header in a mail."""
    if _BREAK.search(_text(value)):
        raise ValueError("this is one line: no line breaks, no control characters")
    return value


def _some(value: str) -> str:
    if not value.strip():
        raise ValueError("this cannot be blank")
    return value


def _blank_is_absent(value: str | None) -> str | None:
    return value if value is not None and value.strip() else None


def _language(value: str) -> str:
    if not _LANGUAGE.fullmatch(value):
        raise ValueError("not a language tag, e.g. it-IT")
    return value


def _link(value: str | None) -> str | None:
    if value is not None and not _LINK.fullmatch(value):
        raise ValueError("a link begins with https:// or http:// and has no blanks")
    return value


def _moment(value: Any) -> datetime:
    """RFC 3339, offset required; a moment that does not exist in UTC's calendar is refused too."""
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise ValueError("a time is RFC 3339 with its offset, e.g. 2026-11-22T06:00:00+01:00")
    try:
        moment = datetime.fromisoformat(value.upper())
        moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"no such time: {error}") from None
    return moment


def _polygon(value: Any) -> Polygon:
    if not isinstance(value, str):
        raise ValueError("a polygon is a text of blank-separated 'lat,lon' pairs")  # noqa: TRY004 - pydantic's way
    return Polygon.parse(value)


def _circle(value: Any) -> Circle:
    if not isinstance(value, str):
        raise ValueError("a circle is a text 'lat,lon radius_km'")  # noqa: TRY004 - pydantic's way
    return Circle.parse(value)


def _known_shape(value: str) -> str:
    if not _SANE_ID.fullmatch(value):
        raise NotFound("there is no such alert")
    return value


Line = Annotated[str, Field(max_length=LINE_LENGTH), AfterValidator(_line), AfterValidator(_some)]
Text = Annotated[str, Field(max_length=TEXT_LENGTH), AfterValidator(_text), AfterValidator(_some)]
MaybeLine = Annotated[
    Annotated[str, Field(max_length=LINE_LENGTH), AfterValidator(_line)] | None, AfterValidator(_blank_is_absent)
]
MaybeText = Annotated[
    Annotated[str, Field(max_length=TEXT_LENGTH), AfterValidator(_text)] | None, AfterValidator(_blank_is_absent)
]
MaybeLink = Annotated[MaybeLine, AfterValidator(_link)]
Language = Annotated[str, Field(max_length=60, examples=["it-IT"]), AfterValidator(_language)]

Moment = Annotated[
    datetime,
    PlainValidator(_moment),
    PlainSerializer(datetime.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-22T06:00:00+01:00"]}),
]
PolygonText = Annotated[
    Polygon,
    PlainValidator(_polygon),
    WithJsonSchema({"type": "string", "examples": ["43.73,11.01 43.74,11.03 43.72,11.04 43.73,11.01"]}),
]
CircleText = Annotated[
    Circle,
    PlainValidator(_circle),
    WithJsonSchema({"type": "string", "examples": ["43.73,11.01 2.5"]}),
]
AlertId = Annotated[str, AfterValidator(_known_shape), Field(description="The alert's id", examples=["01JCZ8"])]

Instant = Annotated[
    datetime,
    PlainSerializer(datetime.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-22T05:00:00.250000+00:00"]}),
]
"""A time in an answer: RFC 3339, UTC as +00:00."""
