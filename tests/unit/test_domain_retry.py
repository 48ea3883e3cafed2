"""Retry: bounded, jittered, never before the provider's word, never past the deadline."""

import itertools
import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.domain.alert import Purpose
from alertd.domain.delivery import OUTCOME_UNKNOWN, Reason, Retry
from alertd.domain.retry import RetryPolicy, may_repeat
from tests.unit.domain_words import NOW

POLICIES = st.builds(
    RetryPolicy,
    base=st.floats(0.01, 60),
    cap=st.floats(0.01, 3600),
    max_attempts=st.integers(1, 200),
)
CHANCES = st.floats(0, 1, exclude_max=True)
WAITS = st.none() | st.floats(allow_nan=True, allow_infinity=True)


@given(POLICIES, WAITS, st.integers(1, 300), CHANCES, st.floats(0, 10**9))
def test_due_lies_between_now_and_the_deadline_or_is_never(policy, after, attempts, chance, lifetime) -> None:
    deadline = NOW + timedelta(seconds=lifetime)
    due = policy.next_due(
        Retry(Reason.RATE_LIMITED, after), attempts=attempts, now=NOW, deadline=deadline, chance=chance
    )
    if due is None:
        return
    assert attempts < policy.max_attempts
    assert NOW <= due < deadline
    if after is not None and after > 0:
        assert due >= NOW + timedelta(seconds=after) - timedelta(microseconds=1)


@given(POLICIES, st.integers(1, 199), CHANCES)
def test_the_wait_grows_with_attempts_up_to_the_cap(policy, attempts, chance) -> None:
    far = NOW + timedelta(days=36500)

    def wait(n: int) -> float:
        due = RetryPolicy(policy.base, policy.cap).next_due(
            Retry(Reason.CONNECT), attempts=n, now=NOW, deadline=far, chance=chance
        )
        return math.inf if due is None else (due - NOW).total_seconds()

    assert wait(min(attempts, 98)) <= wait(min(attempts + 1, 99)) + 1e-6
    assert wait(min(attempts, 98)) <= policy.cap + 1e-6


def test_the_last_attempt_is_the_last() -> None:
    policy = RetryPolicy(max_attempts=3)
    far = NOW + timedelta(days=1)
    due = [policy.next_due(Retry(Reason.CONNECT), attempts=n, now=NOW, deadline=far, chance=0.5) for n in (1, 2, 3)]
    assert due[0] is not None
    assert due[1] is not None
    assert due[2] is None


def test_a_wait_that_ends_at_the_deadline_is_never() -> None:
    verdict = Retry(Reason.UNAVAILABLE, 60)
    policy = RetryPolicy()
    at = NOW + timedelta(seconds=60)
    assert policy.next_due(verdict, attempts=1, now=NOW, deadline=at, chance=0.0) is None
    assert policy.next_due(verdict, attempts=1, now=NOW, deadline=at + timedelta(seconds=1), chance=0.0) == at


@pytest.mark.parametrize(("reason", "idempotent", "purpose"), list(itertools.product(Reason, (True, False), Purpose)))
def test_an_unknown_outcome_is_repeated_only_where_harmless_or_urgent(reason, idempotent, purpose) -> None:
    expected = reason not in OUTCOME_UNKNOWN or idempotent or purpose is Purpose.EMERGENCY
    assert may_repeat(reason, idempotent=idempotent, purpose=purpose) is expected
