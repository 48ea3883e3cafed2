"""The provider's limit, 30 messages a second for a bot, is Telegram's speed: how much of it is used, and by whom first.

One bot has two channels here, as in a town: one message per subscriber, and one post in the town's public channel.
The stand-in keeps the provider's limits (30 a second with bursts of 40, one a second to a chat) and answers 429.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from alertd.sandbox.bot_limits import Rates
from alertd.sandbox.config import BROADCAST_CHAT
from alertd.sandbox.ledger import Ledger
from alertd.sandbox.sandbox import Sandbox
from tests.acceptance.place import BOT, place
from tests.acceptance.town import Town
from tests.bench.measure import Bench, Contestant, Figure, Group, Outcome, Section, Target, rounds
from tests.bench.population import found, settle_in
from tests.bench.stage import ELSEWHERE, emergency, newsletter

CHANNEL = "canale"
LIMIT = Rates().overall
_FIRST_CHAT, _FIRST_URGENT = 1_000_000, 2_000_000
_ALERTD, _PERFECT = "alertd", "the limit itself"
_PATIENCE = 180.0
_REST = 2.0  # seconds: the stand-in's bucket is empty again, and no chat is written to twice within its second


async def measure(bench: Bench) -> list[Section]:
    many, urgent = bench.pick(600, 120), bench.pick(60, 30)
    async with _town(bench.folder, many, urgent) as there:
        steady = await rounds(bench, _steady(there, many))
        return [steady, await rounds(bench, _overtaking(there, many // 2, urgent))]


def _steady(there: "_There", many: int) -> Group:
    async def alertd() -> Outcome:
        began, _ = await there.post(emergency())
        came = await there.arrivals(many + 1, since=began)
        spacing = (came[-1].at - came[0].at) / many
        (post,) = (place for place, one in enumerate(came) if one.chat == BROADCAST_CHAT)
        figures = {
            "share of 30/s": 1 / spacing / LIMIT,
            "429s": float(there.refused),
            "channel post came as no.": post + 1.0,
            "first ms": (came[0].at - began) * 1000,
        }
        return Outcome(many, spacing * many, figures=figures)

    return Group(
        key="telegram",
        title="Telegram",
        work=f"an emergency to {many} chats and the town's public channel, all by one bot",
        figure=Figure.RATE,
        unit="messages/s",
        peer=_PERFECT,
        contestants=(
            Contestant(_ALERTD, "first arrival → last arrival at the Bot API", alertd),
            Contestant(_PERFECT, f"{LIMIT:g} a second, by definition", _perfect(many, many / LIMIT), peer=True),
        ),
        targets=(Target(_ALERTD, _PERFECT, least=0.97),),
        silent=("The stand-in counts as the provider's documentation says; what the provider really does may differ.",),
    )


def _overtaking(there: "_There", before: int, urgent: int) -> Group:
    async def alertd() -> Outcome:
        begun, news = await there.post(newsletter())
        await there.arrivals(before, since=begun)
        posted, _ = await there.post(emergency(area=[{"zone": ELSEWHERE}]))
        came = [one for one in await there.arrivals(urgent, since=posted, urgent=True) if one.urgent]
        meanwhile = sum(1 for one in there.taken if posted < one.at < came[-1].at and not one.urgent)
        on_channel = next(one.at for one in there.taken if one.at > posted and one.chat == BROADCAST_CHAT)
        await there.here.settled(news)
        figures = {
            "first ms": (came[0].at - posted) * 1000,
            "channel post ms": (on_channel - posted) * 1000,
            "429s": float(there.refused),
            "others sent meanwhile": meanwhile - 1.0,  # but for the channel's post, which is the emergency's
        }
        return Outcome(urgent, came[-1].at - posted, figures=figures)

    return Group(
        key="telegram-emergency",
        title="Telegram: an emergency in the middle of a newsletter",
        work=f"an emergency to {urgent} other chats and the channel, posted while a newsletter goes out: POST → the last",
        figure=Figure.SECONDS,
        unit="s",
        peer=_PERFECT,
        contestants=(
            Contestant(_ALERTD, "POST of the emergency → its last message at the Bot API", alertd),
            Contestant(
                _PERFECT, f"{LIMIT:g} a second from the POST on", _perfect(urgent, (urgent + 1) / LIMIT), peer=True
            ),
        ),
        targets=(Target(_ALERTD, _PERFECT, most=1.2),),
    )


def _perfect(count: int, seconds: float) -> Callable[[], Awaitable[Outcome]]:
    async def play() -> Outcome:
        return Outcome(count, seconds)

    return play


# --- the town and its bot -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Taken:
    """A message the Bot API took: seconds of time.monotonic."""

    chat: str
    at: float

    @property
    def urgent(self) -> bool:
        return self.chat.startswith(str(_FIRST_URGENT)[0]) and self.chat != BROADCAST_CHAT


@dataclass(slots=True)
class _There:
    here: Town
    sandbox: Sandbox
    taken: list[_Taken] = field(default_factory=list)
    _refused: int = 0

    @property
    def refused(self) -> int:
        """429s since the last post of the work."""
        return self.sandbox.bot.limited - self._refused

    async def post(self, alert: dict[str, object]) -> tuple[float, str]:
        """When it was posted, and its id. What is out is left alone, but a new work begins with an idle bot."""
        if not self.taken or time.monotonic() - self.taken[-1].at > _REST / 2:
            await asyncio.sleep(_REST)
            self._refused = self.sandbox.bot.limited
        began = time.monotonic()
        return began, await self.here.send(alert)

    async def arrivals(self, count: int, *, since: float, urgent: bool = False) -> list[_Taken]:
        """What came since then, once it is so many."""
        async with asyncio.timeout(_PATIENCE):
            while True:
                came = [one for one in self.taken if one.at > since and (one.urgent or not urgent)]
                if len(came) >= count:
                    return came
                await asyncio.sleep(0.005)


@asynccontextmanager
async def _town(folder: Path, many: int, urgent: int) -> AsyncIterator[_There]:
    async with place(folder, rates=Rates(), bot_rate=None, only=(BOT, CHANNEL)) as (here, sandbox):
        await found(here)
        settle_in(here.state, BOT, (str(_FIRST_CHAT + number) for number in range(many)))
        settle_in(here.state, BOT, (str(_FIRST_URGENT + number) for number in range(urgent)), zone=ELSEWHERE)
        await here.start()
        there = _There(here, sandbox)
        _note(sandbox.bot.ledger, there.taken)
        yield there


def _note(ledger: Ledger, taken: list[_Taken]) -> None:
    took = ledger.took

    def noted(recipient: str, identity: bytes, body: bytes, *, at: float) -> bool:
        taken.append(_Taken(recipient, at))
        return took(recipient, identity, body, at=at)

    ledger.took = noted
