"""A page to the officers as CAP Infos, one per language of the service: a draft waits, or how it ended."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from alertd.core.words.pages import PageWords, page_words
from alertd.core.words.phrases import phrases_for
from alertd.core.words.phrasing import Phrases
from alertd.core.words.wording import clip, line, plain
from alertd.domain.alert import Alert, AlertState, Area, Info, Urgency
from alertd.domain.blocks import MAX_BLOCKS, infos_for
from alertd.domain.texts import LIMITS
from alertd.ports.adapter import Service
from alertd.ports.stores.intake import StoredAlert

_EVERY_BLOCK: Final = 2**MAX_BLOCKS - 1
_TOLD: Final = 3
_AREAS: Final = 12
_WHAT: Final = 160
_LONGEST: Final = 1_500
"""Of each text of the draft: a page must be read at a glance, and the draft itself is at hand."""

_WHOLE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Speech:
    """`number` of the page, 1 is the first; None once the draft was decided, withdrawn or expired."""

    draft: StoredAlert
    service: Service
    number: int | None

    def infos(self) -> tuple[Info, ...]:
        """All of one block (see `domain.blocks`), so that every officer reads the one in his language."""
        said: dict[str, Info] = {}
        for language in self.service.languages:
            phrases = phrases_for(language, self.service.languages)
            said.setdefault(phrases.tag, self._info(language, phrases))
        return tuple(said.values())

    def _info(self, language: str, phrases: Phrases) -> Info:
        texts = infos_for(self.draft.alert, _EVERY_BLOCK, language, self.service.languages)
        words, worst = page_words(phrases.tag), texts[0]
        what = clip(line(worst.headline or worst.event), _WHAT)
        zone = ZoneInfo(self.service.timezone)
        waits = self.number is not None
        spoken = _waiting(self, words, phrases, texts, zone) if waits else _ending(self.draft, words)
        return Info(
            language=language,
            category=worst.category,
            event=words.event,
            urgency=Urgency.IMMEDIATE,
            severity=worst.severity,
            certainty=worst.certainty,
            expires=self.draft.deadline if waits else None,
            headline=clip(_headline(self.draft, words, what, waits=waits), LIMITS["headline"]),
            description=clip(plain(spoken), _WHOLE),
            instruction=self._instruction(words),
            area=_areas(self.draft.alert),
        )

    def _instruction(self, words: PageWords) -> str:
        if self.number is None:
            expired = self.draft.state is AlertState.DRAFT
            return words.not_sent if expired else words.nothing_to_do
        draft_id = self.draft.alert.id
        return words.do.format(id=draft_id, api=f"{self.service.public_url}/v1/alerts/{draft_id}")


def _headline(draft: StoredAlert, words: PageWords, what: str, *, waits: bool) -> str:
    if waits:
        return words.waiting.format(what=what)
    if draft.state is AlertState.DRAFT:
        return words.expired.format(what=what)
    if draft.state is not AlertState.REJECTED:
        form = words.approved
    else:
        form = words.withdrawn if draft.decided_by == draft.created_by else words.rejected
    return form.format(who=_who(draft.decided_by), what=what)


def _ending(draft: StoredAlert, words: PageWords) -> str:
    if draft.state is not AlertState.REJECTED:
        return ""
    return words.reason.format(reason=clip(plain(draft.reject_reason or ""), _LONGEST) or words.untold)


def _waiting(speech: Speech, words: PageWords, phrases: Phrases, texts: Sequence[Info], zone: tzinfo) -> str:
    draft = speech.draft
    parts = [words.raised.format(who=_who(draft.created_by))]
    if not draft.alert.status.is_real:
        parts.append(words.status.format(status=draft.alert.status))
    if speech.number is not None and speech.number > 1:
        parts.append(words.reminder.format(number=speech.number - 1))
    parts.append(words.expires.format(when=phrases.when(draft.deadline, zone)))
    if draft.alert.note:
        parts += ["", words.evidence, clip(plain(draft.alert.note), LIMITS["note"])]
    parts += ["", words.says]
    for info in texts[:_TOLD]:
        parts += _told(info, words, phrases, zone)
    if len(texts) > _TOLD:
        parts.append(words.more.format(count=len(texts) - _TOLD))
    return "\n".join(parts)


def _told(info: Info, words: PageWords, phrases: Phrases, zone: tzinfo) -> Iterable[str]:
    where = ", ".join(dict.fromkeys(line(area.area_desc) for area in info.area[:_AREAS]))
    until = phrases.when(info.expires, zone) if info.expires else phrases.until_notice
    severity = phrases.severities.get(info.severity, "")
    yield line(info.headline or info.event)
    yield words.where.format(where=clip(where, _LONGEST))
    yield words.until.format(until=until)
    yield from ([f"{phrases.severity}: {severity}"] if severity else [])
    yield from (clip(plain(text), _LONGEST) for text in (info.description, info.instruction) if text)
    yield ""


def _areas(draft: Alert) -> tuple[Area, ...]:
    """Where it is about, in words alone: whom a page goes to does not hang on it."""
    names = dict.fromkeys(line(area.area_desc) for info in draft.info for area in info.area)
    zones = tuple(dict.fromkeys(zone for info in draft.info for area in info.area for zone in area.zones))
    shown = ", ".join(list(names)[:_AREAS])
    return (Area(clip(shown, LIMITS["area_desc"]), zones),)


def _who(actor: str | None) -> str:
    return clip(line(actor or "?"), 100)
