"""One payload against the configuration, as the daemon would take it, with nothing stored and nothing sent."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from alertd.clock import SystemClock
from alertd.core.audience import Carrier, choose
from alertd.core.channels import ChannelSpec
from alertd.core.submission import Identity, Submission, checked, identified
from alertd.current import Current, specs
from alertd.domain.alert import Alert
from alertd.domain.blocks import blocks_of
from alertd.domain.signal import Heard, Signal
from alertd.domain.times import cap_time
from alertd.ingest.drafting import Drafter
from alertd.ingest.hearing import Hearing
from alertd.ingest.readers.cap_feed import Config as FeedConfig
from alertd.ingest.readers.cap_feed import entries
from alertd.ingest.rules import EMPTY, Change, Clear, Explanation, Fire, Moment, Rule, explain, ready
from alertd.ingest.source import CAP_FEED, Polled, SourceSpec
from alertd.ports.adapter import Message, Tools


@dataclass(frozen=True, slots=True)
class Carried:
    """What one channel would show in one language."""

    channel: str
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Judged:
    """One rule on one signal; `submission` where it has something to tell, `refused` why it cannot be told."""

    signal: Signal
    explanation: Explanation
    submission: Submission | None = None
    refused: str = ""


def hear(spec: SourceSpec, current: Current, payload: bytes, at: datetime, topic: str) -> tuple[Heard, Sequence[str]]:
    """What it was read as; of a feed's index what it holds inline, with the addresses that would be fetched."""
    hearing = Hearing(spec, lambda: current.territory)
    if spec.reader != CAP_FEED or b":alert" in payload[:500] or b"<alert" in payload[:500]:
        return hearing.heard(payload, at, topic), ()
    base = spec.way.url if isinstance(spec.way, Polled) else ""
    index = entries(payload, FeedConfig.model_validate(spec.options.model_dump(include={"links"})), base)
    inline = [hearing.heard(entry.inline, at) for entry in index.entries if entry.inline is not None]
    signals = tuple(signal for heard in inline for signal in heard.signals)
    violations = (*index.violations, *(one for heard in inline for one in heard.violations))
    return Heard(signals, violations), [entry.link for entry in index.entries if entry.inline is None]


def judge(current: Current, heard: Heard, at: datetime) -> Sequence[Judged]:
    """Every rule that listens to the source, signal by signal, each with what it would then remember."""
    drafter = Drafter(lambda: current.service, lambda: current.territory, lambda: current.settings.ingest.templates)
    found = []
    for rule in map(ready, current.settings.ingest.rules):
        memory = EMPTY
        for number, signal in enumerate(heard.signals):
            if not rule.source.holds(signal):
                continue
            explanation = explain(rule, memory, signal, Moment(at, float(number)))
            memory = explanation.memory
            found.append(_drafted(drafter, rule.rule, signal, explanation, at))
    return found


def _drafted(drafter: Drafter, rule: Rule, signal: Signal, explanation: Explanation, at: datetime) -> Judged:
    finding = explanation.finding
    if not isinstance(finding, Fire | Change | Clear):
        return Judged(signal, explanation)
    try:
        return Judged(signal, explanation, drafter.draft(rule, finding, at))
    except ValueError as error:
        return Judged(signal, explanation, refused=str(error))


async def carried(current: Current, submission: Submission, at: datetime) -> Sequence[Carried]:
    """The message each channel would carry, in each of its languages. Raises Invalid where nothing would be sent."""
    settings = current.settings
    by_name = {spec.name: spec for spec in specs(settings)}
    alert = identified(
        checked(submission, current.territory, at), Identity("rehearsal", current.service.sender, cap_time(at))
    )
    carriers = [_carrier(spec) for spec in by_name.values()]
    plans = choose(carriers, purpose=alert.purpose, status=alert.status, wanted=alert.channels)
    found: list[Carried] = []
    with tempfile.TemporaryDirectory(prefix="alertd-rehearsal-") as state:
        for plan in plans:
            spec = by_name[plan.channel]
            languages = (spec.language,) if plan.broadcast else settings.service.languages
            found += await _messages(spec, current, alert, languages, at, Path(state))
    return found


async def _messages(
    spec: ChannelSpec, current: Current, alert: Alert, languages: Sequence[str], at: datetime, state: Path
) -> Sequence[Carried]:
    deadline = alert.expires or at + current.lifetimes[alert.purpose]
    blocks = sum(block.bit for block in blocks_of(alert))
    notices = {
        language: current.renderer.notice(
            alert,
            channel=spec.name,
            adapter=spec.adapter,
            language=language,
            blocks=blocks,
            deadline=deadline,
            root=alert.identifier,
        )
        for language in languages
    }
    tools = Tools(SystemClock(), structlog.get_logger(), current.service, state, lambda _endpoint: "")
    try:
        async with spec.kind.open(spec.name, spec.config, tools) as adapter:
            messages: Mapping[str, Message] = {language: adapter.render(notice) for language, notice in notices.items()}
    except Exception:  # noqa: BLE001 - a channel that cannot open would still carry these words
        messages = {
            language: Message(notice, f"{notice.title}\n\n{notice.text}") for language, notice in notices.items()
        }
    return [Carried(spec.name, language, message.preview) for language, message in messages.items()]


def _carrier(spec: ChannelSpec) -> Carrier:
    traits = spec.traits
    return Carrier(
        name=spec.name,
        adapter=spec.adapter,
        broadcast=not traits.addressed,
        exercise=spec.exercise,
        purposes=spec.purposes,
        provable=traits.provable,
        idempotent=traits.idempotent,
    )
