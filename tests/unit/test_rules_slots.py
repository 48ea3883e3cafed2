"""The slots of a memory: values, in order of use, bounded."""

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from alertd.ingest.rules.slots import GRAIN, Slots, kept


class Thing(NamedTuple):
    number: int
    told: int | None = None


EMPTY: Slots[Thing] = Slots({}, {}, 0)


@given(st.lists(st.integers(0, 400), max_size=900))
def test_they_are_a_mapping_in_order_of_use_and_the_one_before_is_as_it_was(keys: list[int]) -> None:
    slots, plain = EMPTY, dict[str, Thing]()
    for number, key in enumerate(keys):
        before = slots
        had = len(before)
        slots, evicted = kept(slots, f"k{key}", Thing(number), 1000)
        assert (evicted, len(before)) == (0, had)
        plain.pop(f"k{key}", None)
        plain[f"k{key}"] = Thing(number)
        assert before.get(f"k{key}") != Thing(number)
    assert list(slots.items()) == list(plain.items())
    assert dict(slots) == plain
    assert len(slots) == len(plain)


def test_a_change_copies_no_more_than_a_few() -> None:
    slots: Slots[Thing] = Slots({f"k{i}": Thing(i) for i in range(10_000)}, {}, 10_000)
    shared = 0
    for number in range(GRAIN * 10):
        after, _ = slots.after(f"k{number}", Thing(0), 20_000)
        shared += after._old is slots._old
        slots = after
    assert shared >= GRAIN * 10 - 10


def test_those_used_longest_ago_give_way_and_what_was_told_last() -> None:
    slots, gone = EMPTY, 0
    for number in range(3000):
        slots, evicted = slots.after(f"k{number}", Thing(number, 1 if number < 3 else None), 500)
        gone += evicted
        assert len(slots) <= 500
    assert gone == 3000 - len(slots)
    assert [thing.number for thing in slots.values()] == [0, 1, 2, *range(3003 - len(slots), 3000)]
    every: Slots[Thing] = EMPTY
    for number in range(600):
        every, _ = every.after(f"k{number}", Thing(number, 1), 500)
    assert [thing.number for thing in every.values()] == list(range(100, 600))
