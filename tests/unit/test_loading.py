"""The loader: who is served first, that it stands aside for an alert, and that it finds who came and who went."""

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import orjson
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs

from adapters.webpush.envelope import seal
from adapters.webpush.loading import Loader
from adapters.webpush.magazine import Magazine
from adapters.webpush.vapid import RENEWED_AFTER, RENEWED_EARLY, Tokens
from alertd.domain.alert import Purpose
from alertd.domain.problems import Unavailable
from alertd.ports.adapter import Service, Tools
from alertd.sandbox.keyring import Keyring
from alertd.sandbox.unseal import unseal
from tests.support.clock import START, ManualClock

RING = Keyring(b"loading")
ALL = frozenset(Purpose)
PATIENCE = 180


def address(index: int, host: str = "push.example") -> str:
    (p256dh, auth) = next(RING.public_sides(index, 1))
    return orjson.dumps({"endpoint": f"https://{host}/s/{index}", "keys": {"auth": auth, "p256dh": p256dh}}).decode()


@dataclass
class Town:
    """A roster in memory. While `broken` it cannot be read."""

    people: dict[int, tuple[str, frozenset[Purpose]]] = field(default_factory=dict)
    broken: bool = False

    def add(self, *indices: int, purposes: frozenset[Purpose] = ALL, host: str = "push.example") -> None:
        self.people |= {index: (address(index, host), purposes) for index in indices}

    async def count(self) -> int:
        if self.broken:
            raise Unavailable("the disk is full")
        return len(self.people)

    async def endpoints(self, purpose: Purpose, *, after: int, limit: int) -> Sequence[tuple[int, str]]:
        if self.broken:
            raise Unavailable("the disk is full")
        return [(i, a) for i, (a, wants) in sorted(self.people.items()) if i > after and purpose in wants][:limit]


class StepClock(ManualClock):
    """Its wall clock can be set without waiting for the other hand to get there."""

    def set(self, now: datetime) -> None:
        self._start = now - timedelta(seconds=self._elapsed)


class Watched(Magazine):
    """Remembers in which order endpoints were served, and may call somebody in between."""

    def __init__(self, depth: int = 2) -> None:
        super().__init__(depth)
        self.order: list[int] = []
        self.after: Callable[[], None] = lambda: None

    def put(self, endpoint_id: int, address: str, envelope: bytes) -> bool:
        kept = super().put(endpoint_id, address, envelope)
        self.order.append(endpoint_id)
        self.after()
        return kept


class CountedTokens(Tokens):
    def __init__(self) -> None:
        super().__init__(ec.generate_private_key(ec.SECP256R1()), "")
        self.signed: list[str] = []

    def _sign(self, audience: str, now: datetime) -> str:
        self.signed.append(audience)
        return super()._sign(audience, now)


@dataclass
class Stand:
    loader: Loader
    magazine: Watched
    town: Town
    clock: StepClock
    gauges: dict[str, float]
    tokens: CountedTokens

    async def until(self, ready: Callable[[], bool]) -> None:
        """Let the clock run until then. The threads take real time."""
        async with asyncio.timeout(PATIENCE):
            while not ready():
                await self.clock.advance(0.25)
                await asyncio.sleep(0.001)

    async def full(self) -> None:
        await self.until(
            lambda: (
                self.gauges.get("envelopes_seconds_to_full") == 0 and len(self.magazine) == 2 * len(self.town.people)
            )
        )


@asynccontextmanager
async def loading(town: Town, depth: int = 2) -> AsyncIterator[Stand]:
    clock, magazine, tokens = StepClock(), Watched(depth), CountedTokens()
    gauges: dict[str, float] = {}
    service = Service("Comune", "", ("it-IT",), "Europe/Rome", "")
    tools = Tools(clock, structlog.get_logger(), service, Path("/nowhere"), str, town, gauges.__setitem__)
    loader = Loader(magazine, tools, tokens)
    task = asyncio.create_task(loader.run())
    try:
        yield Stand(loader, magazine, town, clock, gauges, tokens)
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_one_for_everybody_before_a_second_for_anybody_and_emergencies_first() -> None:
    town = Town()
    town.add(*range(1, 40), purposes=frozenset({Purpose.EVENT}))
    town.add(*range(40, 80), purposes=frozenset({Purpose.SERVICE}))
    town.add(*range(80, 120), purposes=frozenset({Purpose.EMERGENCY}))
    town.add(*range(120, 160))
    async with loading(town) as stand:
        await stand.full()
        order = stand.magazine.order
    assert Counter(order) == dict.fromkeys(town.people, 2)
    for half in (order[:159], order[159:]):
        assert set(half[:80]) == set(range(80, 160))
        assert set(half[80:120]) == set(range(40, 80))


async def test_what_was_loaded_is_read_by_the_browser_it_was_loaded_for() -> None:
    town = Town()
    town.add(*range(1, 50))
    async with loading(town) as stand:
        await stand.full()
        for index, (where, _) in town.people.items():
            for _ in range(2):
                envelope = stand.magazine.take(index, where)
                assert envelope is not None
                assert unseal(RING.keys(index), seal(envelope, b"evacuate")) == b"evacuate"


async def test_nothing_is_derived_while_an_alert_goes_out() -> None:
    town = Town()
    town.add(*range(1, 400))
    async with loading(town) as stand:
        began = asyncio.Event()
        stand.magazine.after = began.set
        await stand.clock.advance(1)
        async with asyncio.timeout(PATIENCE):
            await began.wait()
        with stand.loader.sending():
            with stand.loader.sending():
                await stand.clock.advance(5)
            async with asyncio.timeout(PATIENCE):  # what a thread was at may still arrive
                while stand.clock.sleeping != 1:
                    await asyncio.sleep(0.001)
            held = len(stand.magazine)
            assert 0 < held < 798
            for _ in range(50):
                await stand.clock.advance(10)
                await asyncio.sleep(0.001)
            assert len(stand.magazine) == held
        await stand.full()


async def test_what_an_alert_used_is_refilled() -> None:
    town = Town()
    town.add(*range(1, 30))
    async with loading(town) as stand:
        await stand.full()
        with stand.loader.sending():
            for index, (where, _) in town.people.items():
                assert stand.magazine.take(index, where)
                assert stand.magazine.take(index, where)
            await stand.clock.advance(2)
            assert stand.gauges["envelopes_ready_share"] == 0
            assert stand.gauges["envelopes_seconds_to_full"] > 0
        await stand.full()
        assert stand.gauges["envelopes_ready_share"] == 1


async def test_newcomers_are_found_and_who_is_gone_makes_room() -> None:
    town = Town()
    town.add(*range(1, 20))
    async with loading(town) as stand:
        await stand.full()
        town.add(20, 21)
        await stand.until(lambda: stand.magazine.wants(20) == stand.magazine.wants(21) == 0)
        del town.people[5]
        with stand.loader.sending():
            pass
        await stand.full()
        assert stand.magazine.wants(5) == 2
        assert stand.magazine.ready == 20


async def test_new_keys_at_an_old_id_are_found_by_the_next_walk() -> None:
    town = Town()
    town.add(1, 2)
    async with loading(town) as stand:
        await stand.full()
        town.people[1] = (address(99), ALL)
        with stand.loader.sending():
            pass
        await stand.until(lambda: len(stand.magazine.order) == 6)
        envelope = stand.magazine.take(1, address(99))
        assert envelope is not None
        assert unseal(RING.keys(99), seal(envelope, b"new")) == b"new"


async def test_an_hourly_walk_finds_who_came_back_under_an_old_id() -> None:
    town = Town()
    town.add(1, 3)
    async with loading(town) as stand:
        await stand.full()
        town.add(2)
        await stand.clock.advance(600)
        assert stand.magazine.wants(2) == 2
        await stand.clock.advance(3_600)
        await stand.full()


async def test_a_store_that_cannot_be_read_and_bad_addresses_only_cost_time() -> None:
    town = Town(broken=True)
    town.add(1, 3)
    (p256dh, auth) = next(RING.public_sides(2, 1))
    off = base64.urlsafe_b64encode(b"\x04" + b"\x01" * 64).rstrip(b"=").decode()
    town.people[2] = (address(2).replace(p256dh, off), ALL)
    town.people[4] = ("no subscription", ALL)
    with capture_logs() as logs:
        async with loading(town) as stand:
            await stand.clock.advance(30)
            assert not len(stand.magazine)
            town.broken = False
            await stand.until(lambda: stand.gauges.get("envelopes_seconds_to_full") == 0)
            assert stand.magazine.ready == 2
            assert stand.gauges["envelopes_ready_share"] == 0.5
    assert {line["log_level"] for line in logs} == {"warning"}
    assert "push.example" not in str(logs)
    assert auth not in str(logs)


async def test_the_busiest_push_services_are_named_first() -> None:
    town = Town()
    town.add(*range(1, 4), host="few.example:8443")
    town.add(*range(4, 20), host="many.example")
    for n in range(20, 32):
        town.add(n, host=f"one-{n}.example")
    async with loading(town) as stand:
        assert not stand.loader.origins
        await stand.full()
        assert stand.loader.origins[:2] == ("many.example:443", "few.example:8443")
        assert len(stand.loader.origins) == 8


async def test_tokens_are_signed_ahead_of_the_first_message_and_of_their_end() -> None:
    town = Town()
    town.add(1, host="a.example")
    town.add(2, host="b.example:8443")
    async with loading(town) as stand:
        await stand.full()
        assert sorted(stand.tokens.signed) == ["https://a.example", "https://b.example:8443"]
        first = stand.tokens.header("https://a.example", stand.clock.now())
        stand.clock.set(START + RENEWED_EARLY)
        await stand.until(lambda: len(stand.tokens.signed) == 4)
        stand.clock.set(START + RENEWED_AFTER)
        assert stand.tokens.header("https://a.example", stand.clock.now()) != first
        stand.tokens.header("https://b.example:8443", stand.clock.now())
        assert len(stand.tokens.signed) == 4


def test_renewing_signs_only_what_is_old_or_from_the_future() -> None:
    tokens = CountedTokens()
    assert tokens.renew("https://a", START)
    assert not tokens.renew("https://a", START + RENEWED_EARLY - timedelta(seconds=1))
    assert tokens.renew("https://a", START + RENEWED_EARLY)
    assert tokens.renew("https://a", START)


async def test_nobody_to_prepare_for_is_all_prepared() -> None:
    async with loading(Town()) as stand:
        await stand.until(lambda: bool(stand.gauges))
        assert stand.gauges == {"envelopes_ready_share": 1.0, "envelopes_seconds_to_full": 0.0}
