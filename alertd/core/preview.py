"""Preview: what each channel would say, to how many, and how long it would take. Nothing is stored or sent."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from alertd.core.access import allow_mode
from alertd.core.audience import choose, cohort_of, refuse_channels, targets_of
from alertd.core.channels import Channels
from alertd.core.submission import Identity, Submission, checked, identified, zone_names
from alertd.domain.alert import Alert, Purpose
from alertd.domain.blocks import blocks_of
from alertd.domain.times import cap_time
from alertd.ports.adapter import Service
from alertd.ports.clock import Clock
from alertd.ports.stores.access import Token
from alertd.ports.stores.intake import ChannelPlan
from alertd.ports.stores.reports import ReportStore
from alertd.ports.territory import Territory


@dataclass(frozen=True, slots=True)
class MessagePreview:
    """`carried` is what this channel shows, shortened as it would be."""

    language: str
    title: str
    text: str
    carried: str


@dataclass(frozen=True, slots=True)
class ChannelPreview:
    """`p50_s` and `p99_s`: in how many seconds half and nearly all would be out; None where nothing is known."""

    channel: str
    adapter: str
    broadcast: bool
    audience: int
    messages: tuple[MessagePreview, ...]
    p50_s: float | None
    p99_s: float | None


@dataclass(frozen=True, slots=True)
class Preview:
    """`zones`: the names of all that would be reached, so that a shape's overspill shows."""

    channels: tuple[ChannelPreview, ...]
    zones: tuple[str, ...]


class Previews:
    def __init__(
        self,
        store: ReportStore,
        channels: Channels,
        clock: Clock,
        *,
        service: Callable[[], Service],
        territory: Callable[[], Territory],
        lifetimes: Callable[[], Mapping[Purpose, timedelta]],
    ) -> None:
        self._store = store
        self._channels = channels
        self._clock = clock
        self._service = service
        self._territory = territory
        self._lifetimes = lifetimes

    async def preview(self, submission: Submission, *, token: Token) -> Preview:
        """Raises Invalid and Forbidden as sending it would; an audience of nobody is shown rather than refused."""
        allow_mode(token, submission.status)
        now = self._clock.now()
        territory = self._territory()
        refuse_channels(self._channels.carriers(), submission.channels, submission.status)
        ready = checked(submission, territory, now)
        alert = identified(ready, Identity("preview", self._service().sender, cap_time(now)))
        plans = choose(self._channels.carriers(), purpose=alert.purpose, status=alert.status, wanted=alert.channels)
        channels = [await self._channel(plan, alert, now) for plan in plans]
        return Preview(tuple(channels), zone_names(ready, territory))

    async def _channel(self, plan: ChannelPlan, alert: Alert, now: datetime) -> ChannelPreview:
        languages: dict[str, int] = {self._channels.language(plan.channel): 1}
        if not plan.broadcast:
            counted = await self._store.audience(
                plan.channel,
                cohort=cohort_of(alert.status),
                purpose=Purpose(alert.purpose),
                targets=targets_of(alert),
            )
            languages = dict(counted)
        audience = sum(languages.values())
        deadline = alert.expires or now + self._lifetimes()[alert.purpose]
        blocks = sum(block.bit for block in blocks_of(alert))
        messages = []
        for language in sorted(languages):
            message = self._channels.message(plan.channel, alert, language=language, blocks=blocks, deadline=deadline)
            messages.append(MessagePreview(language, message.notice.title, message.notice.text, message.preview))
        pace = self._channels.pace(plan.channel)
        seconds = audience / pace if pace else None
        return ChannelPreview(
            plan.channel,
            plan.adapter,
            plan.broadcast,
            audience,
            tuple(messages),
            seconds and round(seconds / 2, 3),
            seconds and round(seconds * 0.99, 3),
        )
