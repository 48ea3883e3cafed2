"""What is wrong with a submission, all of it at once, in words that help at three in the morning.

`lint` names faults that refuse; `advise` names what an officer may want to better before sending. Whether a
zone exists and a shape selects one is the territory's business, not known here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from alertd.domain.alert import Area, Info, MsgType, Pair, Scope, Status
from alertd.domain.blocks import MAX_BLOCKS
from alertd.domain.problems import Problem
from alertd.domain.texts import LIMITS, language_fault, text_fault, url_fault

MAX_HORIZON = timedelta(days=2 * 366)
MAX_TEXT = 200_000
MAX_POINTS = 20_000
MAX_AREAS = 500
MAX_RESOURCES = 20
LOWEST_FEET, HIGHEST_FEET = -40_000.0, 400_000.0

RESERVED_MARKS = (
    *("BORRADOR", "BOZZA", "BROUILLON", "DRAFT", "DRILL", "ENTWURF", "ESERCITAZIONE", "ESSAI", "EXERCICE"),
    *("EXERCISE", "PROBE", "PROVA", "PRUEBA", "SIMULACRO", "SYSTEM", "SYSTEMTEST", "TEST", "ÜBUNG"),
)
"""Words that open what is not real. None may open a real alert, lest it be taken for a drill."""

_MARK = "|".join(RESERVED_MARKS)
_OF_THE_SYSTEM = r"(\s+(SYSTEM|TEST|DI SISTEMA|DEL SISTEMA|SYSTÈME))?"
_RESERVED = re.compile(rf"\W*({_MARK}){_OF_THE_SYSTEM}\s*([^\w\s]|$)")

Loc = tuple[str | int, ...]


def lint(
    *, msg_type: MsgType, scope: Scope, status: Status, info: Sequence[Info], now: datetime
) -> tuple[Problem, ...]:
    """Every fault of a submission, with the path to it; empty for a good one. `now` is aware."""
    problems = [*_envelope(msg_type, scope, info), *_sizes(info), *_said_twice(info)]
    for i, one in enumerate(info):
        problems += _info(("info", i), one, status, now)
    return tuple(problems)


def lint_texts(texts: Mapping[str, str | None]) -> tuple[Problem, ...]:
    """Faults of an alert's own texts (`note`, `source`, `incidents`, …) by field name; `code.0` is the first code."""
    return tuple(p for path, text in texts.items() for p in _text(_loc(path), path.partition(".")[0], text))


def _loc(path: str) -> Loc:
    name, _, index = path.partition(".")
    return (name, int(index)) if index else (name,)


def advise(info: Sequence[Info], now: datetime) -> tuple[Problem, ...]:
    """What could be better, for previews; none of it refuses."""
    return tuple(p for i, one in enumerate(info) for p in _advice(("info", i), one, now))


def _envelope(msg_type: MsgType, scope: Scope, info: Sequence[Info]) -> Iterator[Problem]:
    if msg_type in {MsgType.ACK, MsgType.ERROR}:
        yield Problem(("msg_type",), f"{msg_type} answers another system; send Alert, Update or Cancel")
    if scope is not Scope.PUBLIC:
        yield Problem(
            ("scope",),
            f"{scope}: there is no restricted audience here, and none is ever widened; send Public",
        )
    if not info and msg_type is not MsgType.CANCEL:
        yield Problem(("info",), "at least one is needed: what happens, where, until when, what to do")


def _sizes(info: Sequence[Info]) -> Iterator[Problem]:
    if len(info) > MAX_BLOCKS:
        yield Problem(("info",), f"{len(info)} of them; at most {MAX_BLOCKS} are taken: send several alerts")
    written = sum(len(text) for one in info for _, _, text in _texts(one) if text)
    if written > MAX_TEXT:
        yield Problem(("info",), f"{written} characters in all; at most {MAX_TEXT} are taken")
    points = sum(len(polygon.points) for one in info for area in one.area for polygon in area.polygons)
    if points > MAX_POINTS:
        yield Problem(("info",), f"polygons of {points} points in all; at most {MAX_POINTS} are taken")


def _said_twice(info: Sequence[Info]) -> Iterator[Problem]:
    """Two texts in one language for the same event, time and areas: which one is right cannot be known."""
    first: dict[object, int] = {}
    for i, one in enumerate(info):
        areas = frozenset((frozenset(a.zones), a.polygons, a.circles) for a in one.area)
        event = (one.event.strip().casefold(), frozenset(one.category), one.onset, one.expires)
        j = first.setdefault((one.language.lower(), event, areas), i)
        if j != i:
            yield Problem(
                ("info", i),
                f"speaks {one.language} about the same event, time and areas as info {j}: "
                "keep one, or give it another language, event, time or area",
            )


def _info(loc: Loc, info: Info, status: Status, now: datetime) -> Iterator[Problem]:
    if fault := language_fault(info.language):
        yield Problem((*loc, "language"), fault)
    if not info.category:
        yield Problem((*loc, "category"), "at least one is needed, e.g. 'Met', 'Fire' or 'Other'")
    if not info.event.strip():
        yield Problem((*loc, "event"), "is empty; say in a few words what happens")
    if info.web is not None and (fault := url_fault(info.web)):
        yield Problem((*loc, "web"), fault)
    for path, name, text in _texts(info):
        yield from _text((*loc, *path), name, text)
    yield from _marks(loc, info, status)
    yield from _times(loc, info, now)
    yield from _resources(loc, info)
    yield from _areas(loc, info)


def _marks(loc: Loc, info: Info, status: Status) -> Iterator[Problem]:
    """Hawaii 2018: drill and live must never look alike, in either direction."""
    for name, text in (("headline", info.headline), ("event", info.event)):
        mark = _RESERVED.match(text or "")
        if status.is_real and mark:
            yield Problem(
                (*loc, name),
                f"opens with {mark[1]!r}, which marks what is not real, but the status is Actual: "
                "for a drill send status Exercise, otherwise begin with another word",
            )


def _times(loc: Loc, info: Info, now: datetime) -> Iterator[Problem]:
    given = {"effective": info.effective, "onset": info.onset, "expires": info.expires}
    times = {name: moment for name, moment in given.items() if moment is not None}
    for name, moment in times.items():
        if moment.utcoffset() is None:
            yield Problem((*loc, name), "has no offset; write e.g. 2026-11-22T23:59:00+01:00")
            return
        if moment - now > MAX_HORIZON:
            yield Problem((*loc, name), f"{moment.isoformat()} is over two years away; is the year right?")
    expires = times.get("expires")
    if expires is None:
        return
    if expires <= now:
        yield Problem(
            (*loc, "expires"),
            f"{expires.isoformat()} is past, and nothing is sent after it; give a later time",
        )
    for name in ("effective", "onset"):
        if name in times and expires <= times[name]:
            yield Problem((*loc, "expires"), f"{expires.isoformat()} is not after {name} {times[name].isoformat()}")


def _resources(loc: Loc, info: Info) -> Iterator[Problem]:
    if len(info.resource) > MAX_RESOURCES:
        yield Problem((*loc, "resource"), f"{len(info.resource)} of them; at most {MAX_RESOURCES} are taken")
    for i, resource in enumerate(info.resource):
        where: Loc = (*loc, "resource", i)
        if not resource.resource_desc.strip():
            yield Problem((*where, "resource_desc"), "is empty; say what the file shows")
        if not re.fullmatch(r"[\w.+-]+/[\w.+-]+(\s*;.*)?", resource.mime_type):
            yield Problem((*where, "mime_type"), f"{resource.mime_type[:40]!r} is none; write e.g. 'image/png'")
        if resource.size is not None and resource.size < 0:
            yield Problem((*where, "size"), "must be a number of bytes")
        yield from _text((*where, "deref_uri"), "deref_uri", resource.deref_uri)
        if resource.uri is not None and (fault := url_fault(resource.uri)):
            yield Problem((*where, "uri"), fault)


def _areas(loc: Loc, info: Info) -> Iterator[Problem]:
    if not info.area:
        yield Problem((*loc, "area"), 'is missing: name a zone, or "*" for the whole territory')
    if len(info.area) > MAX_AREAS:
        yield Problem((*loc, "area"), f"{len(info.area)} of them; at most {MAX_AREAS} are taken")
    for i, area in enumerate(info.area):
        yield from _area((*loc, "area", i), area)


def _area(loc: Loc, area: Area) -> Iterator[Problem]:
    if not any(zone.strip() for zone in area.zones) and not area.polygons and not area.circles:
        yield Problem(loc, "is empty: name a zone, or draw a polygon or a circle; nothing else selects anybody")
    if area.ceiling is not None and area.altitude is None:
        yield Problem((*loc, "ceiling"), "needs an altitude beside it (both in feet above mean sea level)")
    heights = {"altitude": area.altitude, "ceiling": area.ceiling}
    for name, feet in heights.items():
        if feet is not None and not LOWEST_FEET <= feet <= HIGHEST_FEET:
            yield Problem((*loc, name), f"{feet} is no height in feet")
    if area.ceiling is not None and area.altitude is not None and area.ceiling < area.altitude:
        yield Problem((*loc, "ceiling"), f"{area.ceiling} lies below the altitude {area.altitude}")


_INFO_TEXTS = ("event", "headline", "description", "instruction", "audience", "sender_name", "web", "contact")


def _texts(info: Info) -> Iterator[tuple[Loc, str, str | None]]:
    """Every text of an Info: its path, the name of its limit, and itself."""
    for name in _INFO_TEXTS:
        yield (name,), name, getattr(info, name)
    for kind in ("event_code", "parameter"):
        yield from _pairs((kind,), getattr(info, kind))
    for i, resource in enumerate(info.resource):
        for name in ("resource_desc", "mime_type", "uri", "digest"):
            yield ("resource", i, name), name, getattr(resource, name)
    for i, area in enumerate(info.area):
        yield ("area", i, "area_desc"), "area_desc", area.area_desc
        yield from ((("area", i, "zone"), "zone", zone) for zone in area.zones)
        yield from _pairs(("area", i, "geocode"), area.geocodes)


def _pairs(loc: Loc, pairs: Sequence[Pair]) -> Iterator[tuple[Loc, str, str | None]]:
    for i, pair in enumerate(pairs):
        yield (*loc, i, "value_name"), "value_name", pair.value_name
        yield (*loc, i, "value"), "value", pair.value


def _text(loc: Loc, name: str, text: str | None) -> Iterator[Problem]:
    if text is not None and (fault := text_fault(text, LIMITS[name])):
        yield Problem(loc, fault)


def _advice(loc: Loc, info: Info, now: datetime) -> Iterator[Problem]:
    headline = info.headline or ""
    if len(headline) > 160:  # noqa: PLR2004  CAP 1.2, 3.2.2: some readers cut there
        yield Problem((*loc, "headline"), f"{len(headline)} characters: some readers cut a headline at 160")
    if not headline.strip():
        yield Problem((*loc, "headline"), "is missing: the event will stand in its place")
    if not (info.instruction or "").strip() and not info.response_type:
        yield Problem((*loc, "instruction"), "is missing: people will ask what to do")
    if info.expires is None:
        yield Problem((*loc, "expires"), "is missing: people will read 'until further notice'")
    if info.effective is not None and info.effective.utcoffset() is not None and info.effective > now:
        yield Problem((*loc, "effective"), "lies ahead, but the alert is sent at once; to wait, send it later")
