"""What the officers are told that asks for no decision, as CAP Infos, one per language of the service."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from alertd.core.words.notice_words import NoticeWords, notice_words
from alertd.core.words.pages import page_words
from alertd.core.words.phrases import phrases_for
from alertd.core.words.phrasing import Phrases
from alertd.core.words.wording import clip, line, plain
from alertd.domain.alert import Area, Category, Certainty, Info, Severity, Status, Urgency
from alertd.domain.texts import LIMITS
from alertd.ports.adapter import Service

_LONGEST: Final = 1_500
_NAMES: Final = 200


@dataclass(frozen=True, slots=True)
class SourceSilent:
    """`since` it was last heard properly, None where it was not since the daemon started; `why` if known."""

    source: str
    since: datetime | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class SourceHeard:
    """It was silent, and is heard again."""

    source: str


@dataclass(frozen=True, slots=True)
class SensorsSilent:
    """Sensors of a rule send nothing that can be believed; `evidence` says what each sent last."""

    rule: str
    sensors: tuple[str, ...]
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotCleared:
    """A rule found a matter over, and its all-clear was refused: alert `alert_id` stands."""

    rule: str
    alert_id: str
    why: str
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """Another system posted an alert, `name`, that is not sent, for what follows it came first. `last`: others of this
    hour are not told."""

    name: str
    what: str
    why: str
    posted_by: str
    status: Status
    last: bool = False


Notice = SourceSilent | SourceHeard | SensorsSilent | NotCleared | Withheld


class Said(NamedTuple):
    headline: str
    description: str
    instruction: str


def notice_infos(notice: Notice, service: Service) -> Sequence[Info]:
    """One Info per language of the service, all of one block; about no place but the whole house."""
    said: dict[str, Info] = {}
    for language in service.languages:
        phrases = phrases_for(language, service.languages)
        if phrases.tag not in said:
            said[phrases.tag] = _info(notice, language, phrases, service)
    return tuple(said.values())


def _info(notice: Notice, language: str, phrases: Phrases, service: Service) -> Info:
    words = notice_words(phrases.tag)
    spoken = _said(notice, words, phrases, ZoneInfo(service.timezone))
    return Info(
        language=language,
        category=(Category.INFRA,),
        event=words.event,
        urgency=Urgency.IMMEDIATE,
        severity=Severity.MINOR if isinstance(notice, SourceHeard) else Severity.MODERATE,
        certainty=Certainty.OBSERVED,
        headline=clip(line(spoken.headline), LIMITS["headline"]),
        description=spoken.description,
        instruction=spoken.instruction,
        area=(Area(clip(line(service.name), LIMITS["area_desc"])),),
    )


def _said(notice: Notice, words: NoticeWords, phrases: Phrases, zone: ZoneInfo) -> Said:
    match notice:
        case SourceSilent(source=source, since=since, why=why):
            heard = words.never if since is None else words.since.format(when=phrases.when(since, zone))
            told = "\n".join(part for part in (heard, clip(plain(why), _LONGEST)) if part)
            return Said(words.silent.format(source=source), told, words.silent_do)
        case SourceHeard(source=source):
            return Said(words.heard.format(source=source), "", words.heard_do)
        case SensorsSilent(rule=rule, sensors=sensors, evidence=evidence):
            names = clip(", ".join(sensors), _NAMES)
            told = clip("\n".join(clip(plain(one), _LONGEST) for one in evidence), LIMITS["description"])
            return Said(words.sensors.format(sensors=names, rule=rule), told, words.silent_do)
        case NotCleared(rule=rule, alert_id=alert_id, why=why, evidence=evidence):
            refused = words.uncleared_why.format(id=alert_id, why=clip(plain(why), _LONGEST))
            told = "\n".join((refused, "", words.evidence, *(clip(plain(one), _LONGEST) for one in evidence)))
            return Said(words.uncleared.format(rule=rule), clip(told, LIMITS["description"]), words.uncleared_do)
        case Withheld():
            return _withheld(notice, words, phrases)


def _withheld(notice: Withheld, words: NoticeWords, phrases: Phrases) -> Said:
    what = clip(line(notice.what), _NAMES)
    parts = [words.withheld_why.format(who=clip(line(notice.posted_by), _NAMES), why=clip(plain(notice.why), _LONGEST))]
    if not notice.status.is_real:
        parts.append(page_words(phrases.tag).status.format(status=notice.status))
    if notice.last:
        parts.append(words.withheld_last)
    return Said(words.withheld.format(what=what), "\n".join(parts), words.withheld_do)
