"""Messages a second: the pace of one budget, and who of several channels is served first."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.budget import GLANCE, Budget, Budgets, Share
from alertd.core.pacing import Pacer
from alertd.domain.delivery import State
from alertd.domain.priority import EMERGENCY, EVENT, PRESSING, SERVICE
from alertd.ports.adapter import Traits
from tests.support.clock import ManualClock, settle_down

TELEGRAM = 29.5  # the default rate of a bot
LIMIT = 30  # what its provider allows in any second
BOT = Traits(addressed=True, provable=State.ACCEPTED, idempotent=False, rate=TELEGRAM, budget="bot")
POST = replace(BOT, addressed=False)


def busiest_second(moments: Sequence[float]) -> int:
    """How many at most lie within one second, both ends counted."""
    most = first = 0
    for last, moment in enumerate(moments):
        while moments[first] < moment - 1:
            first += 1
        most = max(most, last - first + 1)
    return most


# --- the pace ------------------------------------------------------------------------------------------------------

ASKINGS = st.lists(
    st.tuples(
        st.floats(0, 3) | st.floats(0, 0.05), st.integers(1, 70), st.integers(0, 3), st.sampled_from([None, 29, 29.9])
    ),
    max_size=300,
)


@given(ASKINGS, st.floats(0.2, 200))
def test_no_second_holds_more_than_the_next_whole_number(askings, rate):
    """Whenever somebody asks, for however many, and gives back what he did not use."""
    now, used = 0.0, []
    pacer = Pacer(rate, now)
    for gap, up_to, too_many, _ in askings:
        now += gap
        granted = pacer.take(now, up_to)
        returned = min(too_many, granted)
        if returned:
            pacer.give_back(returned)
        used += [now] * (granted - returned)
    assert busiest_second(used) <= int(rate) + 1


@given(ASKINGS)
def test_a_provider_of_thirty_a_second_is_never_exceeded(askings):
    """With the default and any rate below thirty that a reload may set in between."""
    now, used = 0.0, []
    pacer = Pacer(TELEGRAM, now)
    for gap, up_to, _, change in askings:
        now += gap
        if change is not None:
            pacer.change(change)
        used += [now] * pacer.take(now, up_to)
    assert busiest_second(used) <= LIMIT


@pytest.mark.parametrize("up_to", [1, 64])
@pytest.mark.parametrize("late", [0.0, 0.002, 0.01, 0.02], ids=lambda s: f"{s * 1000:.0f} ms")
def test_late_timers_cost_less_than_three_in_a_hundred(late, up_to):
    chance = random.Random(7)
    now, used = 0.0, []
    pacer = Pacer(TELEGRAM, now)
    while now < 120:
        used += [now] * pacer.take(now, up_to)
        now += pacer.wait(now) + chance.uniform(0, late)
    assert busiest_second(used) <= LIMIT
    assert (len(used) - 1) / (used[-1] - used[0]) >= 0.97 * LIMIT


def test_messages_are_evenly_spaced_and_a_pause_earns_no_burst():
    pacer, now, used = Pacer(10, 0.0), 0.0, []
    for pause in (0.0, 60.0):
        now += pause
        for _ in range(30):
            if taken := pacer.take(now, 5):
                used.append((now, taken))
            now += pacer.wait(now)
    assert max(taken for _, taken in used) <= 2
    assert max(later - sooner for (sooner, _), (later, _) in pairwise(used[:25])) < 0.11


# --- who goes first ------------------------------------------------------------------------------------------------


class Counter:
    """Several channels before one budget, and in which order they were served."""

    def __init__(self, clock: ManualClock, rate: float = 10.0) -> None:
        self.clock = clock
        self.budget = Budget(clock, rate)
        self.served: list[str] = []
        self.moments: list[float] = []

    def come(self, name: str, share: Share, priority: int, up_to: int = 1) -> "asyncio.Task[None]":
        return asyncio.ensure_future(self._come(name, share, priority, up_to))

    async def _come(self, name: str, share: Share, priority: int, up_to: int) -> None:
        granted = share.take(priority, up_to)
        while not granted:
            granted = await share.wait(priority, up_to)
        self.served += [name] * granted
        self.moments += [self.clock.monotonic()] * granted


async def test_emergency_then_the_post_for_all_then_the_lower_number():
    clock = ManualClock()
    at = Counter(clock)
    bot, post = at.budget.share(broadcast=False), at.budget.share(broadcast=True)
    assert bot.take(EVENT, 1) == 1
    for name, share, priority in (
        ("bot 3", bot, EVENT),
        ("bot 2", bot, SERVICE),
        ("post 2", post, SERVICE),
        ("bot 1", bot, EMERGENCY),
        ("post 3", post, EVENT),
        ("bot 0", bot, PRESSING),
        ("post 1", post, EMERGENCY),
    ):
        at.come(name, share, priority)
    await clock.advance(2)
    assert at.served == ["post 1", "bot 0", "bot 1", "post 2", "post 3", "bot 2", "bot 3"]


async def test_who_comes_later_and_matters_more_is_served_before_those_in_line():
    clock = ManualClock()
    at = Counter(clock)
    bot = at.budget.share(broadcast=False)
    bot.take(EVENT, 1)
    for _ in range(5):
        at.come("news", bot, SERVICE)
    await clock.advance(0.25)
    at.come("alert", bot, PRESSING)
    await clock.advance(1)
    assert at.served == ["news", "news", "alert", "news", "news", "news"]


async def test_equals_take_turns_however_many_wait_for_each_and_however_long():
    clock = ManualClock()
    at = Counter(clock)
    one, other = at.budget.share(broadcast=False), at.budget.share(broadcast=False)
    for _ in range(12):
        at.come("one", one, SERVICE)
    for _ in range(6):
        at.come("other", other, SERVICE)
    await clock.advance(1.15)  # beyond several glances
    assert at.served.count("other") == at.served.count("one") == 6
    await clock.advance(1)
    assert len(at.served) == 18


async def test_nobody_passes_who_did_not_wait_his_turn():
    clock = ManualClock()
    at = Counter(clock)
    bot = at.budget.share(broadcast=False)
    assert bot.take(SERVICE, 1) == 1
    at.come("first", bot, SERVICE)
    await settle_down()
    clock._elapsed += 0.15  # the timer is late, and somebody comes before it
    assert bot.take(SERVICE, 1) == 0
    assert at.budget.share(broadcast=False).take(PRESSING, 1) == 1
    await clock.advance(0.2)
    assert at.served == ["first"]


async def test_who_waits_long_is_let_go_to_look():
    clock = ManualClock()
    at = Counter(clock, rate=0.1)
    bot = at.budget.share(broadcast=False)
    bot.take(SERVICE, 1)
    waiting = asyncio.ensure_future(bot.wait(SERVICE, 1))
    await clock.advance(2 * GLANCE)
    assert await waiting == 0
    waiting = asyncio.ensure_future(bot.wait(SERVICE, 1))
    await settle_down()
    bot.look_again()
    assert await waiting == 0
    assert at.budget._serving is None, "no task is left where nobody waits"


async def test_what_is_given_back_goes_to_the_next_at_once():
    clock = ManualClock()
    at = Counter(clock, rate=1)
    bot = at.budget.share(broadcast=False)
    assert bot.take(SERVICE, 1) == 1
    at.come("next", bot, SERVICE)
    await settle_down()
    bot.give_back(1)
    await settle_down()
    assert at.served == ["next"]
    assert clock.monotonic() == 0


@pytest.mark.parametrize("granted_first", [True, False])
async def test_a_cancelled_one_leaves_his_turn_to_the_next(granted_first):
    clock = ManualClock()
    at = Counter(clock)
    bot = at.budget.share(broadcast=False)
    bot.take(SERVICE, 1)
    leaving = asyncio.ensure_future(bot.wait(SERVICE, 1))
    await settle_down()
    at.come("next", bot, SERVICE)
    await settle_down()
    if granted_first:
        clock._elapsed += 0.1
        at.budget._grant()
    leaving.cancel()
    at.budget._grant()
    await clock.advance(0.11)
    assert leaving.cancelled()
    assert at.served == ["next"]


@pytest.mark.parametrize("seed", range(4))
async def test_two_channels_of_one_bot_together_stay_within_its_limit_and_use_it(seed):
    """Workers that are sometimes slow, sometimes return what they took, on a loop whose timers are late."""
    chance = random.Random(seed)
    clock = LateClock(chance)
    budget = Budget(clock, TELEGRAM)
    used: list[float] = []

    async def work(share: Share, priority: int) -> None:
        while True:
            granted = share.take(priority, 3) or await share.wait(priority, 3)
            returned = chance.randint(0, granted) if chance.random() < 0.1 else 0
            if returned:
                share.give_back(returned)
            used.extend([clock.monotonic()] * (granted - returned))
            await clock.sleep(chance.uniform(0, 0.2))

    shares = [budget.share(broadcast=broadcast) for broadcast in (True, False)]
    tasks = [asyncio.ensure_future(work(share, p)) for share in shares for p in (PRESSING, SERVICE) for _ in range(4)]
    await clock.advance(6)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert busiest_second(used) <= LIMIT
    assert (len(used) - 1) / (used[-1] - used[0]) >= 0.97 * LIMIT


class LateClock(ManualClock):
    """Its timers are up to 8 ms late, as a busy loop's are."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds + self._chance.uniform(0, 0.008))


# --- the budgets of all channels -----------------------------------------------------------------------------------


def test_a_reload_earns_no_burst_and_the_lowest_rate_holds():
    clock = ManualClock()
    budgets = Budgets(clock)
    budgets.arrange({"bot": BOT, "canale": POST})
    bot, post = budgets.share("bot", BOT), budgets.share("canale", POST)
    assert bot is not None
    assert post is not None
    assert bot.take(SERVICE, 9) == 1
    assert post.take(PRESSING, 9) == 0, "it is one budget"
    for traits in (replace(POST, rate=5.0), POST):
        budgets.arrange({"bot": BOT, "canale": traits})
        again = budgets.share("bot", BOT)
        assert again is not None
        assert again.rate == bot.rate == traits.rate
        assert again.take(SERVICE, 9) == 0


async def test_a_budget_is_forgotten_when_it_no_longer_counts():
    clock = ManualClock()
    budgets = Budgets(clock)
    budgets.arrange({"bot": BOT})
    share = budgets.share("bot", BOT)
    assert share is not None
    share.take(SERVICE, 1)
    budgets.arrange({})
    budgets.arrange({"other name": BOT})
    again = budgets.share("other name", BOT)
    assert again is not None
    assert again.take(SERVICE, 1) == 0, "it came back too soon to be new"
    budgets.arrange({})
    await clock.advance(2)
    budgets.arrange({})
    with pytest.raises(KeyError):
        budgets.share("bot", BOT)


def test_channels_without_a_budget_share_nothing_and_without_a_rate_have_no_pace():
    budgets = Budgets(ManualClock())
    alone = replace(BOT, budget="")
    free = replace(alone, rate=None)
    budgets.arrange({"a": alone, "b": alone, "c": free})
    shares = [budgets.share(name, alone) for name in ("a", "b")]
    assert [share.take(SERVICE, 9) for share in shares if share is not None] == [1, 1]
    assert budgets.share("c", free) is None
