import math

from hypothesis import given
from hypothesis import strategies as st

from adapters.webpush.pace import RESPITE, Pace


def test_without_strain_there_is_no_limit() -> None:
    pace = Pace()
    pace.relax(1_000, 100)
    assert pace.room(1_000_000) == math.inf


def test_strain_halves_once_for_all_that_was_sent_before_it() -> None:
    pace = Pace()
    for _ in range(50):
        pace.strain(10.0, 400)
    assert pace.limit == 200
    pace.strain(10.0 + RESPITE, 200)
    assert pace.limit == 100


def test_success_lets_it_grow_until_it_is_no_limit() -> None:
    pace = Pace()
    pace.strain(0.0, 100)
    before = pace.limit
    pace.relax(50, 1_000)
    assert before < pace.limit < 2 * before
    for _ in range(10_000):
        pace.relax(50, 1_000)
    assert pace.limit == math.inf


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 500)), max_size=200))
def test_one_request_may_always_be_under_way(events: list[tuple[bool, int]]) -> None:
    pace = Pace()
    for moment, (strained, number) in enumerate(events):
        if strained:
            pace.strain(float(moment), number)
        else:
            pace.relax(number, 800)
        assert pace.room(0) >= 1
