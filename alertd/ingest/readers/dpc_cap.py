"""What the Department's CAP says: one info for each risk, level and day, its zones in the geocode `Zona di Allerta`."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from alertd.domain.alert import Alert, Info, MsgType
from alertd.domain.signal import Colour
from alertd.ingest.readers.dpc_bulletin import Risk
from alertd.ingest.readers.dpc_table import colour_of
from alertd.ingest.readers.received import Fault, Notes
from alertd.ingest.readers.values import moment, shown

SENDER: Final = "2.49.0.0.380.1"
GEOCODE: Final = "Zona di Allerta"
_RISK: Final = re.compile(r"\bRISCHIO\s+(IDROGEOLOGICO|TEMPORALI|IDRAULICO)\b", re.IGNORECASE)
_RISKS: Final[Mapping[str, Risk]] = {
    "IDROGEOLOGICO": Risk.HYDROGEOLOGICAL,
    "TEMPORALI": Risk.THUNDERSTORMS,
    "IDRAULICO": Risk.HYDRAULIC,
}


class Statement(NamedTuple):
    """One zone of one info."""

    zone: str
    name: str
    risk: Risk
    day: date
    colour: Colour
    info: Info


def statements(alert: Alert, tz: ZoneInfo, notes: Notes) -> tuple[datetime, list[Statement]]:
    """When it was issued, in `tz`, and all that it says. Raises Fault for a message of another sender or of a kind the
    Department does not send, for what that leaves unsaid must not end anything."""
    if alert.sender != SENDER:
        raise Fault("sender", f"{shown(alert.sender)} is not the Department's {SENDER}")
    if alert.msg_type not in (MsgType.ALERT, MsgType.UPDATE):
        raise Fault("msgType", f"{alert.msg_type} is no bulletin")
    try:
        issued = moment(alert.sent).astimezone(tz)
    except (ValueError, OverflowError) as error:
        raise Fault("sent", str(error)) from None
    return issued, [one for i, info in enumerate(alert.info) for one in _info(info, f"info[{i}]", tz, notes)]


def _info(info: Info, where: str, tz: ZoneInfo, notes: Notes) -> Iterator[Statement]:
    match = _RISK.search(info.event)
    try:
        colour = colour_of(info.event)
    except ValueError as error:
        notes.lost(f"{where}.event", str(error))
        return
    if match is None:
        notes.odd(f"{where}.event", f"{shown(info.event)} names no risk that is known: taken for the whole")
    day = _day(info, tz)
    if day is None:
        notes.lost(where, "has neither onset nor expires: its day cannot be known")
        return
    risk = _RISKS[match[1].upper()] if match else Risk.OVERALL
    for area in info.area:
        codes = [pair.value.strip() for pair in area.geocodes if pair.value_name == GEOCODE]
        if not codes:
            notes.lost(f"{where}.area", f"{shown(area.area_desc)} has no geocode {GEOCODE!r}")
        yield from (Statement(code, area.area_desc, risk, day, colour, info) for code in codes)


def _day(info: Info, tz: ZoneInfo) -> date | None:
    given = info.onset or info.expires
    try:
        return given.astimezone(tz).date() if given else None
    except OverflowError:
        return None
