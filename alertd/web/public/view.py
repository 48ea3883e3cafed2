"""An alert as a reader sees it: in one language, in local time, with where it stands said in words.

`public` decides what may be shown at all: Actual, of scope Public, and sent. Drills, tests and drafts never.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from alertd.domain.alert import Alert, AlertState, Info, MsgType, Scope
from alertd.domain.blocks import blocks_of
from alertd.ports.adapter import Service
from alertd.ports.stores.intake import StoredAlert
from alertd.web.public.names import month
from alertd.web.public.words import table

_NOT_SENT: Final = frozenset({AlertState.DRAFT, AlertState.REJECTED})
_AREAS_SHOWN: Final = 12


class Standing(StrEnum):
    """Where an alert stands for its readers. CANCELS is a Cancel message itself."""

    CURRENT = "current"
    CANCELLED = "cancelled"
    UPDATED = "updated"
    PAST = "past"
    CANCELS = "cancels"


@dataclass(frozen=True, slots=True)
class Moment:
    """A time for machines and for people."""

    iso: str
    text: str


@dataclass(frozen=True, slots=True)
class InfoView:
    """One statement, in the language it was written in."""

    language: str
    headline: str
    event: str
    severity: str
    areas: tuple[str, ...]
    onset: Moment | None
    expires: Moment | None
    description: tuple[str, ...]
    instruction: tuple[str, ...]
    web: str
    contact: str
    sender_name: str


@dataclass(frozen=True, slots=True)
class AlertView:
    """`next_id` is the message that followed, `previous_id` the one it follows; empty where there is none."""

    id: str
    identifier: str
    purpose: str
    standing: Standing
    is_update: bool
    sent: Moment
    note: tuple[str, ...]
    infos: tuple[InfoView, ...]
    next_id: str
    previous_id: str

    @property
    def title(self) -> str:
        return self.infos[0].headline if self.infos else self.identifier

    @property
    def ends_matter(self) -> bool:
        """Whether its own end still says anything: not once another message ended it."""
        return self.standing in {Standing.CURRENT, Standing.PAST}

    @property
    def language(self) -> str:
        return self.infos[0].language if self.infos else ""


def public(stored: StoredAlert) -> bool:
    alert = stored.alert
    return alert.status.is_real and alert.scope is Scope.PUBLIC and stored.state not in _NOT_SENT


def standing_of(stored: StoredAlert, now: datetime) -> Standing:
    """A Cancel stays a Cancel; what was followed says so even after its end."""
    if stored.alert.msg_type is MsgType.CANCEL:
        return Standing.CANCELS
    if stored.state is AlertState.CANCELLED:
        return Standing.CANCELLED
    if stored.state is AlertState.SUPERSEDED or stored.followed_by is not None:
        return Standing.UPDATED
    over = stored.state is AlertState.EXPIRED or stored.deadline <= now
    return Standing.PAST if over else Standing.CURRENT


def view_of(
    stored: StoredAlert, *, language: str, service: Service, now: datetime, previous: Alert | None = None
) -> AlertView:
    """`previous` is what a Cancel takes back: what it merely repeats of that is not said again."""
    alert, zone = stored.alert, ZoneInfo(service.timezone)
    return AlertView(
        id=alert.id,
        identifier=alert.identifier,
        purpose=alert.purpose,
        standing=standing_of(stored, now),
        is_update=alert.msg_type is MsgType.UPDATE,
        sent=moment(datetime.fromisoformat(alert.sent), zone, language),
        note=_paragraphs(alert.note),
        infos=tuple(
            _info(_unsaid(info, previous), zone, language) for info in spoken(alert, language, service.languages)
        ),
        next_id=stored.followed_by or "",
        previous_id=stored.ancestors[0] if stored.ancestors else "",
    )


def spoken(alert: Alert, language: str, fallbacks: Sequence[str]) -> tuple[Info, ...]:
    """Each statement once, in the language nearest to the reader's, worst first."""
    blocks = sorted(blocks_of(alert), key=lambda block: -block.severity)
    return tuple(block.in_language(language, fallbacks) for block in blocks)


def _unsaid(info: Info, previous: Alert | None) -> Info:
    """A Cancel that was given no words of its own carries its original's; "stay indoors" must not be read there."""
    said = {(old.instruction, old.description) for old in previous.info} if previous else set()
    return replace(info, instruction=None, description=None) if (info.instruction, info.description) in said else info


def moment(when: datetime, zone: ZoneInfo, language: str) -> Moment:
    local = when.astimezone(zone)
    day = f"{local.day} {month(language, local.month)} {local.year}"
    text = f"{day}, {table(language)['at']} {local:%H:%M}"
    return Moment(when.astimezone(UTC).isoformat(timespec="seconds"), text)


def _info(info: Info, zone: ZoneInfo, language: str) -> InfoView:
    return InfoView(
        language=info.language,
        headline=info.headline or info.event,
        event=info.event,
        severity=info.severity,
        areas=_areas(info),
        onset=moment(info.onset, zone, language) if info.onset else None,
        expires=moment(info.expires, zone, language) if info.expires else None,
        description=_paragraphs(info.description),
        instruction=_paragraphs(info.instruction),
        web=info.web if info.web and info.web.startswith(("https://", "http://")) else "",
        contact=info.contact or "",
        sender_name=info.sender_name or "",
    )


def _areas(info: Info) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(area.area_desc for area in info.area if area.area_desc))
    return names if len(names) <= _AREAS_SHOWN else (*names[:_AREAS_SHOWN], "…")


def _paragraphs(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split("\n") if part.strip())
