"""The delivery table: every pair of state and event, and what must hold of the whole."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.domain.delivery import (
    ARRIVED,
    OUTCOME_UNKNOWN,
    PENDING,
    RETRYABLE,
    TRANSITIONS,
    WAITING,
    Event,
    IllegalTransition,
    Reason,
    State,
    step,
)

EVERY_PAIR = list(itertools.product(State, Event))
ENDS = {State.GONE, State.EXPIRED, State.SUPERSEDED, State.ACKNOWLEDGED}


@pytest.mark.parametrize(("state", "event"), EVERY_PAIR)
def test_every_pair_is_either_in_the_table_or_illegal(state: State, event: Event) -> None:
    if (state, event) in TRANSITIONS:
        assert step(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(IllegalTransition, match=f"{state} cannot {event}"):
            step(state, event)


def test_there_are_exactly_these_ends() -> None:
    leaving = {state for state, _ in TRANSITIONS}
    assert set(State) - leaving == ENDS


def test_only_a_sending_one_is_settled_and_only_a_waiting_one_is_claimed() -> None:
    attempts = {Event.ACCEPT, Event.RETRY, Event.RELEASE}
    assert {s for s, e in TRANSITIONS if e in attempts} == {State.SENDING}
    assert {s for s, e in TRANSITIONS if e is Event.CLAIM} == WAITING


def test_what_still_waits_or_flies_can_always_be_ended() -> None:
    for state in PENDING:
        assert step(state, Event.EXPIRE) is State.EXPIRED
        assert step(state, Event.SUPERSEDE) is State.SUPERSEDED


def test_what_arrived_is_never_expired_superseded_or_sent_again() -> None:
    for state, event in itertools.product(ARRIVED, (Event.EXPIRE, Event.SUPERSEDE, Event.CLAIM, Event.REQUEUE)):
        assert (state, event) not in TRANSITIONS


def test_arrival_only_moves_forward() -> None:
    order = [State.ACCEPTED, State.DELIVERED, State.SEEN, State.ACKNOWLEDGED]
    for (source, _), target in TRANSITIONS.items():
        if source in ARRIVED and target in ARRIVED:
            assert order.index(target) > order.index(source)


@given(st.lists(st.sampled_from(Event), max_size=30))
def test_any_road_keeps_to_the_table_and_an_end_is_an_end(events: list[Event]) -> None:
    state = State.QUEUED
    for event in events:
        try:
            following = step(state, event)
        except IllegalTransition:
            continue
        assert state not in ENDS
        state = following


def test_every_state_is_reachable() -> None:
    reached, frontier = {State.QUEUED}, [State.QUEUED]
    while frontier:
        here = frontier.pop()
        for (source, _), target in TRANSITIONS.items():
            if source is here and target not in reached:
                reached.add(target)
                frontier.append(target)
    assert reached == set(State)


def test_state_sets_partition_the_states() -> None:
    assert WAITING < PENDING
    assert not PENDING & ARRIVED
    assert PENDING | ARRIVED | {State.FAILED, State.GONE, State.EXPIRED, State.SUPERSEDED} == set(State)


def test_an_unknown_outcome_may_be_requeued_and_a_refusal_may_not() -> None:
    assert OUTCOME_UNKNOWN < RETRYABLE
    assert not RETRYABLE & {Reason.BAD_ADDRESS, Reason.UNSUBSCRIBED, Reason.TOO_LARGE, Reason.BAD_REQUEST}
