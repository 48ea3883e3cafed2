"""A bot with a channel and subscribers against the sandbox: the emergency goes first, and no limit is hit.

That starts keep to the limit, and how much of it they use, is in the budget's own tests, on a clock that obeys, and in
the benchmark `telegram`: a busy machine sees two starts closer together than they were granted.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from adapters.telegram import TelegramAdapter
from adapters.telegram.config import TelegramConfig
from alertd.core.budget import Budgets
from alertd.core.circuits import Circuits
from alertd.core.gate import Gate
from alertd.domain.circuit import CircuitPolicy
from alertd.domain.delivery import Accepted, Verdict
from alertd.domain.priority import PRESSING, SERVICE
from alertd.ports.adapter import Adapter, Message, Parcel, Tools
from alertd.sandbox.bot import BotApi
from alertd.sandbox.bot_limits import Rates
from tests.support import notices
from tests.support.clock import RealClock

TOKEN = "1000000001:secret"
LIMIT = 30
ALLOWED = Rates(overall=2 * LIMIT)  # on a busy machine some arrive late, and so closer together than they started
NEWS, EMERGENCIES = 150, 120

Started = Callable[[Sequence[Parcel]], None]


class Line:
    """The parcels of one message, handed out through a gate."""

    def __init__(
        self, message: Message, waiting: Sequence[Parcel], gate: Gate, priority: int, started: Started
    ) -> None:
        self.message = message
        self._waiting = deque(waiting)
        self._gate = gate
        self._priority = priority
        self._started = started

    async def take(self, up_to: int = 1) -> Sequence[Parcel]:
        while self._waiting:
            granted = await self._gate.turn(self._priority, min(up_to, len(self._waiting)))
            taken = [self._waiting.popleft() for _ in range(min(granted, len(self._waiting)))]
            self._gate.give_back(self._priority, granted - len(taken))
            if taken:
                self._started(taken)
                return taken
        return ()


class Channel:
    """An open adapter behind its gate."""

    def __init__(self, adapter: Adapter, gate: Gate) -> None:
        self.adapter = adapter
        self.gate = gate
        self.verdicts: list[Verdict] = []

    async def carry(self, waiting: Sequence[Parcel], priority: int, started: Started) -> None:
        def settle(_: int, verdict: Verdict) -> None:
            self.gate.settled(priority)
            self.verdicts.append(verdict)

        self.gate.enter(priority)
        try:
            message = self.adapter.render(notices.notice())
            await self.adapter.send(Line(message, waiting, self.gate, priority, started), settle)
        finally:
            self.gate.leave(priority)


def parcels(first: int, count: int, *, broadcast: bool = False) -> list[Parcel]:
    deadline = datetime.now(UTC) + timedelta(hours=1)
    numbers = range(first, first + count)
    return [Parcel(n, f"k{n}", 0 if broadcast else n, "" if broadcast else str(n), deadline) for n in numbers]


async def test_a_bot_stays_in_its_limit_and_the_emergency_goes_first(tmp_path: Path) -> None:
    clock, starts = RealClock(), []
    halfway = asyncio.Event()

    def started(taken: Sequence[Parcel]) -> None:
        starts.extend(parcel.delivery_id for parcel in taken)
        if len(starts) >= 60:
            halfway.set()

    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(BotApi("127.0.0.1", 0, token=TOKEN, rates=ALLOWED))
        bot, post = await open_channels(stack, sandbox, clock, tmp_path)
        async with asyncio.timeout(120), asyncio.TaskGroup() as sending:
            sending.create_task(bot.carry(parcels(1, NEWS), SERVICE, started))
            await halfway.wait()
            sending.create_task(bot.carry(parcels(1000, EMERGENCIES), PRESSING, started))
            sending.create_task(post.carry(parcels(5000, 1, broadcast=True), PRESSING, started))
        first = next(i for i, number in enumerate(starts) if number >= 1000)
        emergencies = starts[first : first + EMERGENCIES + 1]
        arrivals = len(sandbox.ledger.arrivals)

    assert all(isinstance(verdict, Accepted) for verdict in (*bot.verdicts, *post.verdicts))
    assert arrivals == NEWS + EMERGENCIES + 1
    assert first < NEWS, "the emergency does not wait for the news to end"
    assert all(number >= 1000 for number in emergencies), "no news starts before the last emergency"
    assert 5000 in emergencies[:2], "the post to all goes before the messages to each"


async def open_channels(stack: AsyncExitStack, sandbox: BotApi, clock: RealClock, state: Path) -> list[Channel]:
    """One bot: what it sends to each, and what it posts to all."""
    tools = Tools(clock, structlog.get_logger(), notices.SERVICE, state, lambda endpoint_id: "")
    settings: dict[str, Any] = {"token": TOKEN, "base_url": sandbox.base_url}
    configs = {
        "bot": TelegramConfig.model_validate(settings),
        "canale": TelegramConfig.model_validate({**settings, "chat_id": "@sandbox_town"}),
    }
    traits = {name: TelegramAdapter.traits_of(config) for name, config in configs.items()}
    budgets = Budgets(clock)
    budgets.arrange(traits)
    channels = []
    for name, config in configs.items():
        adapter = await stack.enter_async_context(TelegramAdapter.open(name, config, tools))
        circuits = Circuits(clock, halts=3, policy=CircuitPolicy())
        share = budgets.share(name, traits[name])
        gate = Gate(clock, concurrency=traits[name].concurrency, circuits=circuits, share=share)
        channels.append(Channel(adapter, gate))
    return channels
