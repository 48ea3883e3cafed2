"""A statement about a matter against a rule: a warning, an earthquake, an alert of a monitoring system."""

from alertd.domain.signal import Signal
from alertd.ingest.rules import words
from alertd.ingest.rules.finding import Finding, Moment, Nothing
from alertd.ingest.rules.memory import MOST_REVISIONS, Memory, Spoken, matter_of, token, with_spoken
from alertd.ingest.rules.outcome import begin, change, end
from alertd.ingest.rules.ready import Ready
from alertd.ingest.rules.telling import changes, lapsed, told_of


def listen(ready: Ready, memory: Memory, signal: Signal, now: Moment) -> tuple[Memory, Finding]:
    """Judge what is said, against what was said under the same key before."""
    key = matter_of(signal.source, signal.key)
    wall = now.at.timestamp()
    known = memory.spoken.get(key)
    if known is not None and known.told is not None and lapsed(known.told, wall):
        known = known._replace(told=None)
    unmet = ready.not_about(signal) or ready.not_so(signal)
    if known is None and unmet:
        return memory, Nothing(ready.rule.name, (f"{words.saying(signal)}: {unmet}",))
    # Dated ahead of our clock, it must not make what is rightly dated look late.
    at = min(signal.at.timestamp(), wall)
    if known is not None and (old := _heard(known, signal, at, wall)):
        return memory, Nothing(ready.rule.name, (f"{words.saying(signal)}: {old}",))
    spoken = _noted(known, token(signal.revision), at)
    if over := _over(signal, unmet, wall):
        return _ended(ready, memory, key, spoken, signal, over)
    return _said(ready, memory, key, spoken, signal, now)


def _heard(known: Spoken, signal: Signal, at: float, wall: float) -> str | None:
    """Why this is nothing new."""
    revision = token(signal.revision)
    # A last word that lies ahead of the clock was dated by a clock since set back: it makes nothing late.
    last = min(known.at, wall)
    if at < last:
        return f"older than what was last said of it, of {words.second(known.at)}"
    if signal.stands and known.lapsed and revision == known.revision:
        return None
    if revision and revision == known.revision and not (signal.ended and known.told is not None):
        return "said before, word for word" if known.told is None else "told already"
    if revision in known.seen and at <= last:
        return "an earlier revision, heard again"
    return None


def _noted(known: Spoken | None, revision: str, at: float) -> Spoken:
    if known is None:
        return Spoken(at, revision)
    same = revision == known.revision
    seen = known.seen if same else (*known.seen[1 - MOST_REVISIONS :], known.revision)
    return Spoken(at, revision, seen, known.told)


def _over(signal: Signal, unmet: str | None, wall: float) -> str | None:
    if signal.ended:
        return "it is over"
    if signal.expires is not None and signal.expires.timestamp() <= wall:
        return f"it expired at {words.moment(signal.expires)}"
    return unmet


def _ended(ready: Ready, memory: Memory, key: str, spoken: Spoken, signal: Signal, over: str) -> tuple[Memory, Finding]:
    memory = with_spoken(memory, key, spoken._replace(told=None))
    evidence = (f"{words.saying(signal)}: {over}",)
    if spoken.told is None:
        return memory, Nothing(ready.rule.name, evidence)
    return memory, end(ready.rule, key, spoken.told, signal, evidence)


def _said(
    ready: Ready, memory: Memory, key: str, spoken: Spoken, signal: Signal, now: Moment
) -> tuple[Memory, Finding]:
    rule, before = ready.rule, spoken.told
    telling = told_of(rule, signal)
    line = words.saying(signal)
    if before is None:
        memory = with_spoken(memory, key, spoken._replace(told=telling))
        return begin(rule, memory, key, telling, signal, (line,), now)
    different = changes(rule, before, telling)
    if not different:
        memory = with_spoken(memory, key, spoken)
        return memory, Nothing(rule.name, (f"{line}: another revision that says the same",))
    memory = with_spoken(memory, key, spoken._replace(told=telling))
    return change(rule, memory, key, before, telling, signal, (line, *different), now)
