"""The audit chain: whatever is changed, moved, added or taken out of the middle is found."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.domain.audit import GENESIS, AuditEntry, chain_hash, first_break

DETAILS = st.dictionaries(
    st.text(max_size=8),
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.floats(allow_nan=False),
    max_size=3,
)
ACTS = st.lists(
    st.tuples(st.text(max_size=5), st.text(max_size=5), st.text(max_size=5), DETAILS), min_size=1, max_size=8
)


def chain(acts) -> list[AuditEntry]:
    entries: list[AuditEntry] = []
    previous = GENESIS
    for seq, (actor, action, subject, details) in enumerate(acts, 1):
        at = f"2026-11-22T06:00:{seq:02d}+00:00"
        digest = chain_hash(previous, seq, at, actor, action, subject, details)
        entries.append(AuditEntry(seq, at, actor, action, subject, details, previous, digest))
        previous = digest
    return entries


@given(ACTS)
def test_a_whole_chain_is_whole_from_any_point(acts) -> None:
    entries = chain(acts)
    assert first_break(entries) is None
    assert first_break([]) is None
    for cut in range(len(entries)):
        previous = entries[cut - 1].hash if cut else GENESIS
        assert first_break(entries[cut:], previous, cut) is None


@given(ACTS, st.data())
def test_any_change_is_found_where_it_is(acts, data) -> None:
    entries = chain(acts)
    i = data.draw(st.integers(0, len(entries) - 1))
    field = data.draw(st.sampled_from(["seq", "at", "actor", "action", "subject", "details", "previous", "hash"]))
    old = getattr(entries[i], field)
    new = old + 1 if field == "seq" else ({**old, "new key": 1} if field == "details" else f"{old}x")
    entries[i] = replace(entries[i], **{field: new})
    assert first_break(entries) == i + 1


@given(ACTS, st.data())
def test_a_change_with_its_hash_made_anew_breaks_the_next(acts, data) -> None:
    entries = chain([*acts, ("a", "b", "c", {})])
    i = data.draw(st.integers(0, len(entries) - 2))
    e = replace(entries[i], actor=entries[i].actor + "x")
    forged = chain_hash(e.previous, e.seq, e.at, e.actor, e.action, e.subject, e.details)
    entries[i] = replace(e, hash=forged)
    assert first_break(entries) == i + 2


@given(ACTS, st.data())
def test_what_is_taken_out_doubled_or_swapped_is_found(acts, data) -> None:
    entries = chain([*acts, ("z", "z", "z", {"n": 1})])
    i = data.draw(st.integers(0, len(entries) - 2))
    assert first_break(entries[:i] + entries[i + 1 :]) is not None
    assert first_break([*entries[: i + 1], *entries[i:]]) is not None
    swapped = entries.copy()
    swapped[i], swapped[i + 1] = swapped[i + 1], swapped[i]
    assert first_break(swapped) is not None


def test_parts_do_not_run_into_each_other() -> None:
    one = chain_hash(GENESIS, 1, "t", "ab", "c", "d", {})
    assert one != chain_hash(GENESIS, 1, "t", "a", "bc", "d", {})
    assert one != chain_hash(GENESIS, 1, "t", "ab", "cd", "", {})


def test_details_hash_alike_in_any_order_and_any_script() -> None:
    assert chain_hash(GENESIS, 1, "t", "a", "b", "c", {"x": 1, "è": "\ud800"}) == chain_hash(
        GENESIS, 1, "t", "a", "b", "c", {"è": "\ud800", "x": 1}
    )


@pytest.mark.parametrize("count", [1, 2])
def test_a_cut_tail_is_not_a_break(count: int) -> None:
    """Only the head, shown apart (`GET /v1/audit`), can tell; this is what a chain can and cannot promise."""
    entries = chain([("a", "b", "c", {})] * 3)
    assert first_break(entries[:-count]) is None
