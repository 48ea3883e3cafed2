"""The bulletin of the Department of Civil Protection (criticita idrogeologica e idraulica), from its zip or its CAP.

A Signal here is one zone, one risk, one civil day: key `Tosc-A1/idraulico/2026-01-19`. Its revision is the colour, so
that a bulletin read again, the change from "tomorrow" to "today", and a correction that corrects another zone are no
news. `at` is the time of issue: what was issued earlier and arrives later is known by it. `colour` is the
Department's; the operational phase is the municipality's to decide and stays empty.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, StringConstraints

from alertd.domain.alert import Alert, Pair
from alertd.domain.signal import Colour, Heard, Signal, Violation
from alertd.ingest.readers import dpc_table
from alertd.ingest.readers.dpc_archive import tables
from alertd.ingest.readers.dpc_bulletin import ROME, Bulletin, Risk, ZoneColours
from alertd.ingest.readers.dpc_cap import Statement, statements
from alertd.ingest.readers.received import Fault, Notes, Options, Received, answers, refused

LAST_SECOND: Final = time(23, 59, 59)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("there is no such time zone") from None
    return name


class Config(Options):
    """`zones` are the alert zones heard (`Tosc-A1`). `known` are all the zone codes in use, where somebody keeps a
    list: one in the bulletin that it lacks is a violation, for then zones were cut anew. `each = "overall"` gives one
    signal a zone and day, the worst of the risks, instead of one for each risk."""

    zones: Annotated[tuple[Annotated[str, StringConstraints(min_length=1, max_length=100)], ...], Field(min_length=1)]
    known: frozenset[str] = frozenset()
    each: Literal["risk", "overall"] = "risk"
    timezone: Annotated[str, AfterValidator(_zone)] = ROME


@answers
def read(payload: bytes, config: Config, received: Received) -> Heard:
    """The signals of a zip, for today and tomorrow as the bulletin counts them. `ended` where there is no alert."""
    notes = Notes()
    found = bulletin(payload, ZoneInfo(config.timezone), notes)
    return notes.heard(_of_bulletin(found, config, received, notes))


def bulletin(payload: bytes, tz: ZoneInfo, notes: Notes) -> Bulletin:
    """The bulletin in a zip. What is wrong with a part goes to `notes`; raises Fault where no part can be read."""
    packed = tables(payload, tz, notes)
    days: dict[str, Mapping[str, ZoneColours]] = {}
    for day, table in (("today", packed.today), ("tomorrow", packed.tomorrow)):
        days[day] = {}
        if table is not None:
            try:
                days[day] = dpc_table.zones(table, f"{day}.dbf", notes)
            except Fault as fault:
                notes.fault(fault)
    return Bulletin(packed.issued, days["today"], days["tomorrow"])


def of_alert(alert: Alert, config: Config, received: Received, violations: Sequence[Violation] = ()) -> Heard:
    """The signals of the Department's CAP, already read with these `violations`; keys and revisions are the zip's.

    A bulletin names in CAP only what is yellow or worse, is always an Alert and references nothing: each replaces the
    one before it. So what it does not name is `ended`; its `colour` is empty, for no colour was said. Where a part of
    it could not be read, nothing ends: that part may have named it.
    """
    notes = Notes()
    tz = ZoneInfo(config.timezone)
    try:
        issued, said = statements(alert, tz, notes)
    except Fault as fault:
        return refused(fault)
    whole = not any(one.fatal for one in (*violations, *notes.violations))
    days = _not_over([issued.date(), issued.date() + timedelta(days=1)], issued, received, notes)
    signals = _of_cap(alert, issued, said, days, config, received)
    return notes.heard(one for one in signals if whole or not one.ended)


def _of_bulletin(found: Bulletin, config: Config, received: Received, notes: Notes) -> Iterator[Signal]:
    days = _not_over(found.days, found.issued, received, notes)
    for day in days:
        zones = found.days[day]
        if not zones:
            continue
        for code in config.zones:
            if code not in zones:
                notes.lost(f"zone {code}", f"is not in the bulletin of {found.issued:%Y-%m-%d %H:%M} for {day}")
                continue
            colours = zones[code]
            for risk in _risks(colours, code, config, notes):
                yield _signal(received, code, risk, day, found.issued, colours.risks[risk], colours.name)
    if config.known:
        for code in sorted({*found.today, *found.tomorrow} - config.known):
            notes.odd(f"zone {code}", "is in the bulletin but not among the zones known here: were they cut anew?")


def _not_over(days: Iterable[date], issued: datetime, received: Received, notes: Notes) -> list[date]:
    """The days that still matter. A bulletin that has none left is worth a complaint: where is the next one?"""
    today = received.at.astimezone(issued.tzinfo).date()
    left = [day for day in days if day >= today]
    if not left:
        notes.lost("issued", f"the latest bulletin is of {issued:%Y-%m-%d %H:%M} and says nothing of {today}")
    return left


def _risks(colours: ZoneColours, code: str, config: Config, notes: Notes) -> list[Risk]:
    """Those to tell of. An overall colour that no risk explains is told as well: nothing worse is passed over."""
    single: list[Risk] = [risk for risk in colours.risks if risk is not Risk.OVERALL]
    overall = colours.overall
    if config.each == "overall":
        return [Risk.OVERALL] if overall is not None else []
    worst = max((colours.risks[risk].rank for risk in single), default=-1)
    if overall is not None and overall.rank > worst:
        notes.odd(f"zone {code}", f"is {overall} as a whole, which none of its risks is")
        return [Risk.OVERALL, *single]
    return single


def _of_cap(
    alert: Alert,
    issued: datetime,
    said: Iterable[Statement],
    days: Iterable[date],
    config: Config,
    received: Received,
) -> Iterator[Signal]:
    worst: dict[tuple[str, Risk, date], Statement] = {}
    for one in said:
        for risk in [Risk.OVERALL] if config.each == "overall" else [one.risk]:
            key = (one.zone, risk, one.day)
            if key not in worst or one.colour.rank > worst[key].colour.rank:
                worst[key] = one
    single: list[Risk] = [] if config.each == "overall" else [risk for risk in Risk if risk is not Risk.OVERALL]
    for day in days:
        for code in config.zones:
            whole = [Risk.OVERALL] if not single or (code, Risk.OVERALL, day) in worst else []
            for risk in [*whole, *single]:
                found = worst.get((code, risk, day))
                colour, name = (found.colour, found.name) if found else (None, "")
                yield _signal(received, code, risk, day, issued, colour, name, statement=found, alert=alert)


def _signal(
    received: Received,
    code: str,
    risk: Risk,
    day: date,
    issued: datetime,
    colour: Colour | None,
    name: str,
    *,
    statement: Statement | None = None,
    alert: Alert | None = None,
) -> Signal:
    facts = {"risk": risk.value, "day": day.isoformat(), "issued": issued.isoformat(), "zone_name": name}
    return Signal(
        received.source,
        key=f"{code}/{risk}/{day}",
        revision=str(colour or Colour.GREEN),
        at=issued,
        event=risk.value,
        zones=(code,),
        severity=statement.info.severity if statement else None,
        colour=colour,
        onset=(statement and statement.info.onset) or datetime.combine(day, time(0), issued.tzinfo),
        expires=(statement and statement.info.expires) or datetime.combine(day, LAST_SECOND, issued.tzinfo),
        ended=colour is None or colour is Colour.GREEN,
        simulated=alert is not None and not alert.status.is_real,
        headline=statement.info.headline or "" if statement else "",
        facts=tuple(Pair(name, text) for name, text in facts.items() if text),
        alert=alert,
    )
