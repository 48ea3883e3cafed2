"""The facts of an alert, cleaned and measured for one language: all that templates may use and must say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from alertd.core.words.phrasing import Phrases
from alertd.core.words.wording import clip, line, plain
from alertd.domain.alert import Alert, Info, MsgType, Purpose, ResponseType
from alertd.domain.texts import url_fault
from alertd.ports.adapter import Service

MAX_TEXT = 20_000
MAX_TITLE = 240
MAX_WHAT = 160
MAX_SHOWN = 8
MAX_AREAS = 12
_SHARED = 16_000
_MAX_NAME = 120
_MAX_NOTE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockFacts:
    """One Info in people's words; an absent one is empty. `do` is what to do; `where` at most twelve places."""

    language: str
    what: str
    event: str
    headline: str
    description: str
    do: str
    where: tuple[str, ...]
    more_areas: str
    since: str
    until: str
    severity: str
    urgency: str
    web: str
    contact: str
    sender_name: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """`lead` opens title and text: the mark of what is not real, who sends, and UPDATE or CANCELLED."""

    mark: str
    mark_note: str
    name: str
    change: str
    change_note: str
    what: str
    blocks: tuple[BlockFacts, ...]
    more_notices: str
    note: str
    reference: str
    url: str
    purpose: str
    status: str
    msg_type: str
    labels: Phrases

    @property
    def lead(self) -> tuple[str, ...]:
        return tuple(part for part in (self.mark, self.name, self.change) if part)


def gather(alert: Alert, infos: Sequence[Info], *, service: Service, phrases: Phrases, zone: tzinfo, url: str) -> Facts:
    """The facts of these Infos of the alert, worst first; a Cancel without any speaks by note and reference."""
    change = {MsgType.UPDATE: phrases.update, MsgType.CANCEL: phrases.cancelled}.get(alert.msg_type, "")
    shown = infos[:MAX_SHOWN]
    share = _SHARED // max(len(shown), 1)
    reader = _Reader(alert, phrases, zone, share)
    blocks = tuple(reader.read(info) for info in shown)
    more = len(infos) - len(shown)
    note = clip(plain(alert.note or ""), _MAX_NOTE) if change else ""
    reference = ", ".join(line(r.identifier) for r in alert.references[:MAX_SHOWN]) if not infos else ""
    return Facts(
        mark=phrases.page_mark if alert.is_page else phrases.marks.get(alert.status, ""),
        mark_note=phrases.page_note if alert.is_page else phrases.notes.get(alert.status, ""),
        name=clip(line(service.name) or line(service.sender), _MAX_NAME) or "alertd",
        change=change,
        change_note=_change_note(alert, phrases, zone),
        what=blocks[0].what if blocks else clip(line(note), MAX_WHAT) or phrases.untitled[alert.purpose],
        blocks=blocks,
        more_notices=phrases.more_notices.format(count=more) if more else "",
        note=note,
        reference=clip(reference, _MAX_NOTE),
        url=url,
        purpose=alert.purpose.value,
        status=alert.status.value,
        msg_type=alert.msg_type.value,
        labels=phrases,
    )


def _change_note(alert: Alert, phrases: Phrases, zone: tzinfo) -> str:
    """What a Cancel means, and from when."""
    if alert.msg_type is not MsgType.CANCEL:
        return ""
    try:
        since = f" {phrases.ended}: {phrases.when(datetime.fromisoformat(alert.sent), zone)}."
    except ValueError:
        since = ""
    return phrases.cancel_note + since


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the Infos of one alert; `share` is about how many characters each may have."""

    alert: Alert
    phrases: Phrases
    zone: tzinfo
    share: int

    def read(self, info: Info) -> BlockFacts:
        event, headline = line(info.event), line(info.headline or "")
        what = headline or event or self.phrases.untitled[self.alert.purpose]
        where, more = self._where(info)
        emergency = self.alert.purpose is Purpose.EMERGENCY and self.alert.msg_type is not MsgType.CANCEL
        web = line(info.web or "")
        return BlockFacts(
            language=line(info.language),
            what=clip(what, MAX_WHAT),
            event=clip(event, MAX_WHAT),
            headline=clip(headline, MAX_WHAT),
            description=clip(plain(info.description or ""), self.share // 2),
            do=clip(self._do(info), self.share // 3),
            where=where,
            more_areas=self.phrases.more_areas.format(count=more) if more else "",
            since=self.phrases.when(info.onset, self.zone) if info.onset else "",
            until=self._until(info),
            severity=self.phrases.severities.get(info.severity, "") if emergency else "",
            urgency=self.phrases.urgencies.get(info.urgency, "") if emergency else "",
            web=web if len(web) <= self.share // 6 and url_fault(web) is None else "",
            contact=clip(line(info.contact or ""), self.share // 12),
            sender_name=clip(line(info.sender_name or ""), _MAX_NAME),
            parameters={line(p.value_name): clip(line(p.value), _MAX_NAME) for p in info.parameter[:50]},
        )

    def _where(self, info: Info) -> tuple[tuple[str, ...], int]:
        every = list(dict.fromkeys(name for area in info.area if (name := line(area.area_desc))))
        limit = max(self.share // 40, 40)
        shown = tuple(clip(name, limit) for name in every[:MAX_AREAS])
        return shown, len(every) - len(shown)

    def _until(self, info: Info) -> str:
        if info.expires is not None:
            return self.phrases.when(info.expires, self.zone)
        return "" if self.alert.msg_type is MsgType.CANCEL else self.phrases.until_notice

    def _do(self, info: Info) -> str:
        """The officer's words; else what the response types say; else the least that is always right."""
        own = plain(info.instruction or "")
        if own:
            return own
        if self.alert.msg_type is MsgType.CANCEL:
            return self.phrases.cancel_do
        asked = [self.phrases.responses[r] for r in info.response_type if r is not ResponseType.NONE]
        if asked:
            return " ".join(dict.fromkeys(asked))
        return self.phrases.follow if self.alert.purpose is Purpose.EMERGENCY else ""
