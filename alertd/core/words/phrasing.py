"""One language's fixed words, and how it says a date."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo

from alertd.domain.alert import Purpose, ResponseType, Severity, Status, Urgency


@dataclass(frozen=True, slots=True, kw_only=True)
class Phrases:
    """`marks` and `notes` for every status that is not real, `page_…` for pages to the officers; `moment` takes
    weekday, day, month, year, time."""

    tag: str
    marks: Mapping[Status, str]
    notes: Mapping[Status, str]
    page_mark: str
    page_note: str
    update: str
    cancelled: str
    cancel_note: str
    cancel_do: str
    follow: str
    until_notice: str
    where: str
    since: str
    until: str
    ended: str
    severity: str
    urgency: str
    do: str
    web: str
    contact: str
    why: str
    reference: str
    link: str
    more_areas: str
    more_notices: str
    untitled: Mapping[Purpose, str]
    severities: Mapping[Severity, str]
    urgencies: Mapping[Urgency, str]
    responses: Mapping[ResponseType, str]
    weekdays: tuple[str, ...]
    months: tuple[str, ...]
    moment: str

    def when(self, moment: datetime, zone: tzinfo) -> str:
        """The moment as people of this language say it, on the clock of `zone`, to the minute."""
        try:
            local = moment.astimezone(zone)
        except (OverflowError, ValueError):
            local = moment  # the first or last day of the calendar: no zone can hold it
        return self.moment.format(
            weekday=self.weekdays[local.weekday()],
            day=local.day,
            month=self.months[local.month - 1],
            year=local.year,
            time=f"{local.hour:02d}:{local.minute:02d}",
        )
