"""What one bulletin of the Department of Civil Protection says: a colour for each zone, risk and day.

A bulletin is issued in the afternoon for the rest of the day and for tomorrow, and may be corrected. Its words "today"
and "tomorrow" count from its own date: until the next one is issued, the colour of the morning stands under
yesterday's "tomorrow". So colours are asked for by civil date, never by word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from alertd.domain.signal import Colour

ROME: Final = "Europe/Rome"
_NOTHING: Final[Mapping[str, "ZoneColours"]] = MappingProxyType({})


class Risk(StrEnum):
    """The risks a bulletin tells apart, and their worst together (its column Criticita)."""

    OVERALL = "criticita"
    HYDROGEOLOGICAL = "idrogeologico"
    THUNDERSTORMS = "temporali"
    HYDRAULIC = "idraulico"


@dataclass(frozen=True, slots=True)
class ZoneColours:
    """One zone's day. A risk whose column could not be read is not in `risks`."""

    name: str
    risks: Mapping[Risk, Colour]

    @property
    def overall(self) -> Colour | None:
        """What the bulletin says of the zone as a whole; None where that could not be read."""
        return self.risks.get(Risk.OVERALL)


@dataclass(frozen=True, slots=True)
class Bulletin:
    """`issued` is aware, in the Department's time. A day whose file could not be read is empty."""

    issued: datetime
    today: Mapping[str, ZoneColours]
    tomorrow: Mapping[str, ZoneColours]

    @property
    def days(self) -> Mapping[date, Mapping[str, ZoneColours]]:
        """What it says, by civil date."""
        day = self.issued.date()
        return {day: self.today, day + timedelta(days=1): self.tomorrow}


def colours_at(bulletin: Bulletin, now: datetime, tz: ZoneInfo) -> Mapping[str, ZoneColours]:
    """The colours that hold on the civil date of `now` in `tz`, by zone. Empty where the bulletin says nothing of that
    day: it is too old, and no colour is a better answer than yesterday's."""
    return bulletin.days.get(now.astimezone(tz).date(), _NOTHING)


def newer(held: Bulletin | None, heard: Bulletin) -> Bulletin:
    """Which of two holds: the later issue. A correction issued in the same minute replaces what it corrects; an older
    one that arrives late replaces nothing."""
    return heard if held is None or heard.issued >= held.issued else held
