"""A page to the officers about many drafts as CAP Infos, one per language of the service."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from alertd.core.words.pages import page_words
from alertd.core.words.phrases import phrases_for
from alertd.core.words.phrasing import Phrases
from alertd.core.words.together_words import TogetherWords, together_words
from alertd.core.words.wording import clip, line, plain
from alertd.domain.alert import AlertState, Area, Category, Certainty, Info, Severity, Urgency
from alertd.domain.blocks import MAX_BLOCKS, infos_for
from alertd.domain.paging import RULE
from alertd.domain.texts import LIMITS
from alertd.ports.adapter import Service
from alertd.ports.stores.intake import StoredAlert
from alertd.ports.stores.pages import Outcome, Undecided

SHOWN: Final = 5
"""So many drafts are named on a page."""

_RULES: Final = 5
_OUTCOMES: Final = 5
_NAME: Final = 60
"""With these a page never outgrows the 4,096 characters of a chat message, at whose end stands what to do."""

_EVERY_BLOCK: Final = 2**MAX_BLOCKS - 1
_WHAT: Final = 120
_BY_RANK: Final = {4: Severity.EXTREME, 3: Severity.SEVERE, 2: Severity.MODERATE, 1: Severity.MINOR}


@dataclass(frozen=True, slots=True)
class TogetherSpeech:
    """`drafts` gravest first, the first `SHOWN` of them in full; none once none waits. `number` counts pages from 1.
    `outcomes` is what became of others since the page before."""

    drafts: Sequence[Undecided]
    shown: Sequence[StoredAlert]
    outcomes: Sequence[Outcome]
    service: Service
    number: int

    def infos(self) -> tuple[Info, ...]:
        """All of one block (see `domain.blocks`), about no place but the whole house."""
        said: dict[str, Info] = {}
        for language in self.service.languages:
            phrases = phrases_for(language, self.service.languages)
            if phrases.tag not in said:
                said[phrases.tag] = self._info(language, phrases)
        return tuple(said.values())

    def _info(self, language: str, phrases: Phrases) -> Info:
        words = together_words(phrases.tag)
        spoken = self._waiting(words, phrases, language) if self.drafts else self._since(words, phrases)
        return Info(
            language=language,
            category=(Category.OTHER,),
            event=words.event,
            urgency=Urgency.IMMEDIATE,
            severity=_severity(self.drafts) if self.drafts else Severity.MINOR,
            certainty=Certainty.UNKNOWN,
            expires=max((draft.deadline for draft in self.drafts), default=None),
            headline=clip(self._headline(words, language), LIMITS["headline"]),
            description=clip("\n".join(spoken), LIMITS["description"]),
            instruction=self._instruction(words),
            area=(Area(clip(line(self.service.name), LIMITS["area_desc"])),),
        )

    def _headline(self, words: TogetherWords, language: str) -> str:
        if not self.drafts:
            return words.none
        what = self._what(self.shown[0], language) if self.shown else "?"
        return words.waiting.format(count=len(self.drafts), what=what)

    def _instruction(self, words: TogetherWords) -> str:
        if not self.drafts:
            return words.none_do
        ((most, _),) = Counter(draft.raised_by for draft in self.drafts).most_common(1)
        return words.do.format(rule=most.removeprefix(RULE), api=f"{self.service.public_url}/v1/alerts")

    def _waiting(self, words: TogetherWords, phrases: Phrases, language: str) -> Iterator[str]:
        yield words.why
        if self.number > 1:
            yield page_words(phrases.tag).reminder.format(number=self.number - 1)
        yield ""
        yield from self._by_rule(words, phrases)
        yield ""
        yield words.gravest
        for draft in self.shown:
            places = dict.fromkeys(line(area.area_desc) for info in draft.alert.info for area in info.area)
            where = clip(", ".join(places), _WHAT)
            yield words.one.format(id=draft.alert.id, what=self._what(draft, language), where=where)
        when = min(draft.deadline for draft in self.drafts)
        yield words.first_expires.format(when=phrases.when(when, ZoneInfo(self.service.timezone)))
        yield from self._since(words, phrases)

    def _by_rule(self, words: TogetherWords, phrases: Phrases) -> Iterator[str]:
        """Rules in the order of their gravest draft."""
        rules: dict[str, list[Undecided]] = {}
        for draft in self.drafts:
            rules.setdefault(draft.raised_by, []).append(draft)
        for rule, drafts in list(rules.items())[:_RULES]:
            severity = phrases.severities[_severity(drafts)]
            yield words.by_rule.format(rule=_who(rule), count=len(drafts), severity=severity)
        if len(rules) > _RULES:
            yield words.more_rules.format(count=len(rules) - _RULES)

    def _since(self, words: TogetherWords, phrases: Phrases) -> Iterator[str]:
        if not self.outcomes:
            return
        yield from ("", words.since)
        for one in self.outcomes[:_OUTCOMES]:
            reason = clip(line(one.reason or ""), _WHAT) or page_words(phrases.tag).untold
            yield _form(one, words).format(who=_who(one.decided_by), count=one.drafts, reason=reason)
        if left := sum(one.drafts for one in self.outcomes[_OUTCOMES:]):
            yield f"… {left}"

    def _what(self, draft: StoredAlert, language: str) -> str:
        info = infos_for(draft.alert, _EVERY_BLOCK, language, self.service.languages)[0]
        what = clip(line(info.headline or info.event), _WHAT)
        return what if draft.alert.status.is_real else f"[{draft.alert.status}] {what}"


def _form(outcome: Outcome, words: TogetherWords) -> str:
    if outcome.state is AlertState.DRAFT:
        return words.expired
    if outcome.state is not AlertState.REJECTED:
        return words.approved
    return words.withdrawn if outcome.withdrawn else words.rejected


def _severity(drafts: Sequence[Undecided]) -> Severity:
    """An unknown one ranks as Severe."""
    return _BY_RANK.get(max(draft.gravity.severity for draft in drafts), Severity.MINOR)


def _who(actor: str | None) -> str:
    return clip(plain(line(actor or "?")), _NAME)
