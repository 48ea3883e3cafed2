"""What CAP 1.2 asks for and an XML schema cannot say.

Pure: an Alert in, faults out, each with the path to its element, so that it holds for what we write as for what others
wrote. `places.located` turns the paths into lines of the document an alert was read from.
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from alertd.cap.crossing import Sweeps, Wearied
from alertd.cap.files import file_faults
from alertd.cap.moments import moment
from alertd.cap.notes import shown
from alertd.cap.writer import PURPOSE_CODE
from alertd.domain.alert import Alert, Area, Info, MsgType, Scope
from alertd.domain.geo import Point, Polygon
from alertd.domain.texts import identifier_fault, language_fault

Path = tuple[str | int, ...]

_PROFILE = re.compile(r"profile:([^:]+):")
_LOWEST_FEET, _HIGHEST_FEET = -40_000.0, 400_000.0
_RING: Final = 3


class Fault(NamedTuple):
    """`path` names elements as CAP does: ("info", 0, "area", 1)."""

    path: Path
    message: str


def check(alert: Alert, sweeps: Sweeps | None = None) -> Iterator[Fault]:
    """Every rule that is broken, in the order of the elements. `sweeps` bounds what outlines may cost; alerts of one
    document share it."""
    sweeps = sweeps or Sweeps()
    yield from _names(alert)
    yield from _addressed(alert)
    yield from _codes(alert)
    yield from _references(alert)
    for number, info in enumerate(alert.info):
        yield from _info(("info", number), alert, info, sweeps)
    yield from _same_words(alert.info)


# --- the alert (3.2.1) ---


def _names(alert: Alert) -> Iterator[Fault]:
    for name, text in (("identifier", alert.identifier), ("sender", alert.sender)):
        if fault := identifier_fault(text):
            yield Fault((name,), f"{name} {fault}")


def _addressed(alert: Alert) -> Iterator[Fault]:
    if alert.scope is Scope.RESTRICTED and not (alert.restriction or "").strip():
        yield Fault(("scope",), "scope Restricted needs a restriction that says to whom")
    if alert.scope is Scope.PRIVATE and not (alert.addresses or "").strip():
        yield Fault(("scope",), "scope Private needs addresses")
    if alert.scope is not Scope.RESTRICTED and (alert.restriction or "").strip():
        yield Fault(("restriction",), f"restriction belongs to scope Restricted, and this one is {alert.scope}")


def _codes(alert: Alert) -> Iterator[Fault]:
    """3.2.1, code; a value that is a profile's own wants the profile named there."""
    for code in alert.code:
        if not code.strip():
            yield Fault(("code",), "code is empty")
        elif code.startswith(PURPOSE_CODE):
            yield Fault(("code",), f"code {shown(code)} names no purpose of alertd")
    said = {found[1] for code in alert.code if (found := _PROFILE.match(code))}
    for number, info in enumerate(alert.info):
        geocodes = (geocode for area in info.area for geocode in area.geocodes)
        used = {found[1] for pair in (*info.event_code, *geocodes) if (found := _PROFILE.match(pair.value_name))}
        for profile in sorted(used - said):
            yield Fault(("info", number), f"uses values of profile {shown(profile)}, which no code of the alert names")
            said.add(profile)


def _references(alert: Alert) -> Iterator[Fault]:
    if alert.msg_type is not MsgType.ALERT and not alert.references:
        yield Fault(("references",), f"msgType {alert.msg_type} needs references to what it is about")
    for reference in alert.references:
        if (reference.sender, reference.identifier, reference.sent) == (alert.sender, alert.identifier, alert.sent):
            yield Fault(("references",), "the alert references itself")
        elif moment(reference.sent, exact=False).at is None:
            yield Fault(("references",), f"the reference's time {shown(reference.sent)} is none")


# --- info (3.2.2) ---


def _info(path: Path, alert: Alert, info: Info, sweeps: Sweeps) -> Iterator[Fault]:
    if fault := language_fault(info.language):
        yield Fault((*path, "language"), f"language {fault}")
    if not info.category:
        yield Fault(path, "info names no category")
    yield from _times(path, alert, info)
    for number, resource in enumerate(info.resource):
        for name, message in file_faults(resource):
            yield Fault((*path, "resource", number, name), message)
    for number, area in enumerate(info.area):
        yield from _area((*path, "area", number), area, sweeps)


def _times(path: Path, alert: Alert, info: Info) -> Iterator[Fault]:
    """An end before its beginning. Onset may precede effective: the thing may be under way."""
    if info.expires is None:
        return
    sent = None if alert.msg_type is MsgType.CANCEL else moment(alert.sent, exact=False).at
    begins = ("effective", info.effective) if info.effective else ("sent", sent)
    for name, begin in (begins, ("onset", info.onset)):
        if begin is not None and info.expires <= begin:
            yield Fault(
                (*path, "expires"), f"expires {info.expires.isoformat()} is not after {name} {begin.isoformat()}"
            )


def _same_words(infos: tuple[Info, ...]) -> Iterator[Fault]:
    """A translation that was never made tells readers of one language that they are spoken to."""
    first: dict[tuple[str | None, ...], tuple[int, Info]] = {}
    for number, info in enumerate(infos):
        words = (info.headline, info.description, info.instruction)
        if not any(text and text.strip() for text in words[:2]):
            continue
        earlier, other = first.setdefault(words, (number, info))
        if other.language.casefold() != info.language.casefold():
            yield Fault(
                ("info", number),
                f"says in {info.language} the very words that info {earlier + 1} says in {other.language}",
            )


# --- area (3.2.4) ---


def _area(path: Path, area: Area, sweeps: Sweeps) -> Iterator[Fault]:
    if not (area.polygons or area.circles or area.geocodes or area.zones):
        yield Fault(path, "area is empty: no polygon, circle or geocode says where it is")
    if area.ceiling is not None and area.altitude is None:
        yield Fault((*path, "ceiling"), "ceiling needs an altitude beside it")
    if area.ceiling is not None and area.altitude is not None and area.ceiling < area.altitude:
        yield Fault((*path, "ceiling"), f"ceiling {area.ceiling} lies below altitude {area.altitude}")
    for name, feet in (("altitude", area.altitude), ("ceiling", area.ceiling)):
        if feet is not None and not _LOWEST_FEET <= feet <= _HIGHEST_FEET:
            yield Fault((*path, name), f"{name} {feet} is no height in feet")
    for polygon in area.polygons:
        if fault := _polygon(polygon, sweeps):
            yield Fault(path, fault)


def _polygon(polygon: Polygon, sweeps: Sweeps) -> str:
    if _flat(polygon.points):
        return f"the polygon at {polygon.points[0]} has no inside"
    try:
        crossed = sweeps.crossing(polygon.points)
    except Wearied:
        return "the polygon's outline is too large to be checked for crossing itself"
    return f"the polygon's outline crosses itself near {crossed}" if crossed else ""


def _flat(points: tuple[Point, ...]) -> bool:
    """Fewer than three different points."""
    seen: set[Point] = set()
    for point in points:
        seen.add(point)
        if len(seen) == _RING:
            return False
    return True
