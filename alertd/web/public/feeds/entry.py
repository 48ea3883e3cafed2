"""What both kinds of feed say of one alert.

An entry's id is made from the message's own key (sender, identifier, sent), so that it is the same wherever the
feed is read; what it was updated at is when the message was sent (CAP 1.2, 3.2.1).
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote

from alertd.core.words.phrases import PHRASES
from alertd.domain.alert import Alert, Info, MsgType
from alertd.ports.adapter import Service
from alertd.web.public.language import accepted
from alertd.web.public.view import Standing, spoken
from alertd.web.public.words import table

BASE: Final = "\0"
"""Stands in a rendered entry for this site's address, which is not known before somebody asks. No text can hold it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`page` is empty where there is no page for people: drills and tests have none."""

    id: str
    title: str
    summary: str
    language: str
    event: str
    categories: tuple[str, ...]
    purpose: str
    status: str
    standing: str
    author: str
    sent: datetime
    released_at: datetime
    page: str
    cap: str


def entry_of(alert: Alert, service: Service, *, released_at: datetime, over: bool) -> Entry:
    infos = spoken(alert, service.languages[0], service.languages)
    language = infos[0].language if infos else service.languages[0]
    title = (infos[0].headline or infos[0].event) if infos else (alert.note or alert.identifier)
    standing = _standing(alert, over=over)
    return Entry(
        id=uuid.uuid5(uuid.NAMESPACE_OID, f"{alert.sender},{alert.identifier},{alert.sent}").urn,
        title="".join((_drill_mark(alert, language), _standing_mark(standing, language), title)),
        summary=_summary(alert, infos) or title,
        language=language,
        event=infos[0].event if infos else "",
        categories=tuple(dict.fromkeys(category.value for info in infos for category in info.category)),
        purpose=alert.purpose,
        status=alert.status,
        standing=standing,
        author=(infos[0].sender_name if infos else None) or service.name,
        sent=datetime.fromisoformat(alert.sent),
        released_at=released_at,
        page=f"{BASE}/alerts/{quote(alert.id, safe='')}" if alert.status.is_real else "",
        cap=f"{BASE}/cap/{quote(alert.identifier, safe='')}.xml",
    )


def _standing(alert: Alert, *, over: bool) -> Standing:
    if alert.msg_type is MsgType.CANCEL:
        return Standing.CANCELS
    return Standing.PAST if over else Standing.CURRENT


def _drill_mark(alert: Alert, language: str) -> str:
    """First, and in the words the channels use: `ESERCITAZIONE - `."""
    if alert.status.is_real:
        return ""
    phrases = PHRASES.get(language.partition("-")[0].lower(), PHRASES["en"])
    return f"{phrases.marks[alert.status]} - "


def _standing_mark(standing: Standing, language: str) -> str:
    """Many readers show a title and nothing else: what holds no longer says so in it."""
    return "" if standing is Standing.CURRENT else f"{table(accepted(language))[f'standing_{standing}']}: "


def _summary(alert: Alert, infos: tuple[Info, ...]) -> str:
    """Of a Cancel its note alone: nobody must read "cancelled" and "go to the upper floors" in one entry."""
    if alert.msg_type is MsgType.CANCEL:
        return alert.note or ""
    return "\n\n".join(text for info in infos for text in (info.description, info.instruction) if text)
