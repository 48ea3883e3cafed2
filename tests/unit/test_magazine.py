"""The magazine: no envelope comes out twice, whatever happens, and a million cost what was promised."""

import copy
import itertools
import pickle
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from adapters.webpush.envelope import ENVELOPE
from adapters.webpush.magazine import PAGE, Magazine

IDS = st.sampled_from([1, 2, 3, PAGE - 1, PAGE, 5_000, 70_000, 2**32 - 1])
ADDRESSES = st.sampled_from(["https://a", "https://b"])
ROOM = 5


def numbered() -> Iterator[bytes]:
    """Envelopes nobody confuses."""
    return (b"envelope %d." % n + b"x" * (ENVELOPE - len(b"envelope %d." % n)) for n in itertools.count(1))


class Handling(RuleBasedStateMachine):
    """Against a plain dict of lists; `used` outlives every magazine, as what was sent outlives a crash."""

    def __init__(self) -> None:
        super().__init__()
        self.fresh = numbered()
        self.used: set[bytes] = set()

    @initialize(depth=st.integers(1, 3))
    def start(self, depth: int) -> None:
        self.depth = depth
        self.crash()

    @rule()
    def crash(self) -> None:
        self.magazine = Magazine(self.depth, capacity=ROOM)
        self.model: dict[int, tuple[str, list[bytes]]] = {}

    @rule()
    def clear(self) -> None:
        self.magazine.clear()
        self.model = {}

    @rule(endpoint=IDS, address=ADDRESSES)
    def put(self, endpoint: int, address: str) -> None:
        made = next(self.fresh)
        rows = len(self.model)
        was, held = self.model.get(endpoint, (address, []))
        if held and was != address:
            held, rows = [], rows - 1
            del self.model[endpoint]
        fits = len(held) < self.depth and (endpoint in self.model or rows < ROOM)
        assert self.magazine.put(endpoint, address, made) is fits
        if fits:
            self.model[endpoint] = (address, [*held, made])

    @rule(endpoint=IDS, address=ADDRESSES, times=st.integers(1, 4))
    def take(self, endpoint: int, address: str, times: int) -> None:
        """Several times: a retry takes anew."""
        for _ in range(times):
            was, held = self.model.get(endpoint, (address, []))
            got = self.magazine.take(endpoint, address)
            if held and was != address:
                del self.model[endpoint]
                held = []
            if not held:
                assert got is None
                continue
            assert got == held.pop()
            assert got not in self.used
            self.used.add(got)

    @rule(endpoint=IDS)
    def drop(self, endpoint: int) -> None:
        self.magazine.drop(endpoint)
        self.model.pop(endpoint, None)

    @rule(wanted=st.sets(IDS))
    def retain(self, wanted: set[int]) -> None:
        for page in self.magazine.pages():
            self.magazine.retain(page, sum(1 << one % PAGE for one in wanted if one // PAGE == page))
        self.model = {one: kept for one, kept in self.model.items() if one in wanted}

    @rule(endpoint=IDS, address=ADDRESSES)
    def wants(self, endpoint: int, address: str) -> None:
        was, held = self.model.get(endpoint, (address, []))
        if held and was != address:
            del self.model[endpoint]
            held = []
        room = endpoint in self.model or len(self.model) < ROOM
        assert self.magazine.wants(endpoint, address) == (self.depth - len(held) if room else 0)

    @invariant()
    def the_sums_are_right(self) -> None:
        held = [kept for _, kept in self.model.values()]
        assert len(self.magazine) == sum(map(len, held))
        assert self.magazine.ready == sum(map(bool, held))

    @invariant()
    def only_what_is_held_is_in_memory(self) -> None:
        lying = b"".join(block[:] for block in self.magazine._blocks)
        assert lying.count(b"envelope ") == len(self.magazine)


TestHandling = Handling.TestCase
TestHandling.settings = settings(deadline=None, max_examples=60, stateful_step_count=40)


def test_depth_two_serves_a_second_alert_and_not_a_third() -> None:
    magazine, fresh = Magazine(2), numbered()
    assert [magazine.put(9, "a", next(fresh)) for _ in range(3)] == [True, True, False]
    first, second, third = (magazine.take(9, "a") for _ in range(3))
    assert first is not None
    assert second not in (None, first)
    assert third is None


def test_an_envelope_for_another_address_is_destroyed_not_used() -> None:
    magazine, fresh = Magazine(2), numbered()
    magazine.put(9, "old", next(fresh))
    assert magazine.take(9, "new") is None
    assert magazine.take(9, "old") is None
    assert len(magazine) == magazine.ready == 0
    magazine.put(9, "old", next(fresh))
    assert magazine.wants(9) == 1
    assert magazine.wants(9, "new") == 2
    assert magazine.take(9, "old") is None


def test_nothing_writes_it_down_or_shows_it() -> None:
    magazine = Magazine()
    magazine.put(1, "a", next(numbered()))
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="neither copied nor written"):
            attempt(magazine)
    assert "envelope " not in repr(magazine) + str(magazine)


@pytest.mark.parametrize("length", [0, ENVELOPE - 1, ENVELOPE + 1])
def test_what_is_no_envelope_is_not_kept(length: int) -> None:
    with pytest.raises(ValueError, match="not an envelope"):
        Magazine().put(1, "a", bytes(length))


@pytest.mark.parametrize("depth", [0, 4])
def test_depth_has_bounds(depth: int) -> None:
    with pytest.raises(ValueError, match="depth"):
        Magazine(depth)


@pytest.mark.parametrize(("depth", "stride"), [(1, 1), (2, 1), (2, 3)])
def test_an_envelope_costs_at_most_130_bytes_with_all_that_finds_it(depth: int, stride: int) -> None:
    """Every third id too: other channels take their share of the ids."""
    made = next(numbered())
    tracemalloc.start()
    try:
        magazine = Magazine(depth)
        for endpoint in range(stride, 40_000 * stride, stride):
            for _ in range(depth):
                magazine.put(endpoint, "a", made)
        taken = tracemalloc.get_traced_memory()[0] + sum(map(len, magazine._blocks))
    finally:
        tracemalloc.stop()
    assert len(magazine) == 39_999 * depth
    assert taken / len(magazine) <= 130
    magazine.clear()


def test_who_is_gone_makes_room_for_others() -> None:
    magazine, fresh = Magazine(1, capacity=2), numbered()
    assert [magazine.put(one, "a", next(fresh)) for one in (1, 2, 3)] == [True, True, False]
    assert magazine.is_full
    assert magazine.wants(3) == 0
    magazine.retain(0, 1 << 2)
    assert magazine.wants(3) == 1
    assert magazine.put(3, "a", next(fresh))
