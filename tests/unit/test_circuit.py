"""The circuit breaker as a value."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from alertd.domain.circuit import CLOSED, Circuit, CircuitPolicy
from tests.support.clock import START

POLICY = CircuitPolicy(threshold=3, base=1, cap=8)


def broken(times: int) -> Circuit:
    circuit = CLOSED
    for _ in range(times):
        circuit = circuit.failed(START, POLICY)
    return circuit


def test_it_opens_at_the_threshold_and_not_before() -> None:
    assert broken(2).permits(START) is None
    assert broken(3).permits(START) == 0


def test_failures_already_under_way_do_not_lengthen_it() -> None:
    assert broken(30) == broken(3)


def test_one_probe_then_none() -> None:
    later = START + timedelta(seconds=1)
    circuit = broken(3)
    assert circuit.permits(later) == 1
    assert circuit.probe().permits(later) == 0


@given(st.integers(1, 80))
def test_each_failed_probe_doubles_the_wait_up_to_the_cap(probes: int) -> None:
    circuit, now = broken(3), START
    for n in range(probes):
        assert circuit.until is not None
        assert (circuit.until - now).total_seconds() == min(8, 2**n)
        now = circuit.until
        circuit = circuit.probe().failed(now, POLICY)


def test_a_success_forgets_everything() -> None:
    assert broken(3).succeeded(START + timedelta(seconds=1)) == CLOSED


def test_a_success_already_under_way_does_not_shorten_it() -> None:
    assert broken(3).succeeded(START) == broken(3)
