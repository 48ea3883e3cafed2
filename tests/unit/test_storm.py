"""Which drafts are paged one by one, and when one page tells of all the others."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.storm import Pages, Reminding, chosen, sorted_out, together_due
from alertd.domain.paging import (
    Gravity,
    Together,
    draft_and_number,
    ending_id,
    is_ending,
    is_together_ending,
    notice_id,
    page_id,
    together,
    together_id,
)
from alertd.ports.stores.pages import OpenPage, Undecided
from tests.integration.store_stand import NOW

MINUTES = [timedelta(minutes=number) for number in range(30)]
EVERY = Reminding(timedelta(minutes=5))
NONE = sorted_out([], NOW)
MINOR, SEVERE, EXTREME = (Gravity(real=True, emergency=True, severity=rank) for rank in (1, 3, 4))
DRILL = Gravity(real=False, emergency=True, severity=4)
NEWS = Gravity(real=True, emergency=False, severity=4)


def a_draft(name: str, gravity: Gravity = SEVERE, seq: int = 1) -> Undecided:
    return Undecided(seq, name, NOW + timedelta(hours=2), "rule:fiume", gravity)


def own(*names: str) -> list[OpenPage]:
    return [OpenPage(page_id(name, 1), NOW) for name in names]


def over(draft: str) -> str:
    return ending_id(page_id(draft, 3))


def all_over(draft: str) -> str:
    return ending_id(together_id(Together(draft, 2, 40, 9)))


def names(drafts: object) -> list[str]:
    assert isinstance(drafts, list)
    return [draft.alert_id for draft in drafts]


# --- who is paged ---


def test_a_few_drafts_are_paged_one_by_one_as_ever() -> None:
    first, rest = chosen([a_draft("a"), a_draft("b")], NONE, 5)
    assert (names(first), rest) == (["a", "b"], [])


def test_of_many_the_gravest_are() -> None:
    gravities = {"news": NEWS, "minor": MINOR, "drill": DRILL, "extreme": EXTREME, "severe": SEVERE}
    first, rest = chosen([a_draft(name, gravity) for name, gravity in gravities.items()], NONE, 2)
    assert (names(first), names(rest)) == (["extreme", "severe"], ["minor", "news", "drill"])


def test_of_equal_ones_those_that_came_first() -> None:
    drafts = [a_draft("late", seq=3), a_draft("first"), a_draft("next", seq=2)]
    assert names(chosen(drafts, NONE, 2).first) == ["first", "next"]


def test_a_graver_one_is_paged_though_no_place_is_free() -> None:
    pages = sorted_out(own("a", "b"), NOW)
    drafts = [a_draft("a"), a_draft("b"), a_draft("alike"), a_draft("grave", EXTREME), a_draft("too", EXTREME)]
    assert names(chosen(drafts, pages, 2).first) == ["grave"]
    told = sorted_out([*own("a", "b"), OpenPage(together_id(Together("alike", 1, 1, 7)), NOW)], NOW)
    later = [a_draft("a"), a_draft("b"), a_draft("alike", EXTREME, 7), a_draft("new", EXTREME, 8)]
    assert names(chosen(later, told, 2).first) == []
    assert names(chosen([*later[:2], a_draft("new", EXTREME, 8)], told, 2).first) == ["new"]


def test_drills_never_keep_a_real_one_waiting() -> None:
    pages = sorted_out(own("a", "b"), NOW)
    assert names(chosen([a_draft("a", DRILL), a_draft("b", DRILL), a_draft("real", MINOR)], pages, 2).first) == ["real"]


def test_real_ones_have_places_of_their_own_while_drills_fill_theirs() -> None:
    """A second real event is told of as if there were no exercise, and not a reminder's length later."""
    drills = [a_draft(name, DRILL) for name in "ab"]
    said = OpenPage(together_id(Together("c", 1, 40, 7)), NOW)
    pages = sorted_out([*own("a", "b"), said], NOW)
    drafts = [*drills, a_draft("c", DRILL, 7), a_draft("real", seq=8), a_draft("second", seq=9), a_draft("z", seq=10)]
    assert names(chosen(drafts, pages, 2).first) == ["real", "second"]
    ours = sorted_out([*own("a", "b", "real"), said], NOW)
    assert names(chosen(drafts, ours, 2).first) == ["second"]
    assert names(chosen([*drafts, a_draft("drill", DRILL, 11)], ours, 3).first) == ["second", "z"]


def test_what_flaps_is_paged_so_often_and_no_more() -> None:
    """Graver each time and decided at once: as many places again, then none within the window."""
    endings = [OpenPage(over(str(number)), NOW) for number in range(4)]
    assert names(chosen([a_draft("x", EXTREME)], sorted_out(endings[:3], NOW), 2).first) == ["x"]
    assert names(chosen([a_draft("x", EXTREME)], sorted_out(endings, NOW), 2).first) == []


def test_a_place_is_taken_until_the_window_after_its_end_is_over() -> None:
    drafts = [a_draft("a"), a_draft("x"), a_draft("y")]
    ended = [*own("a"), OpenPage(over("b"), NOW)]
    assert names(chosen(drafts, sorted_out(ended, NOW), 2).first) == []
    assert names(chosen(drafts, sorted_out(ended[:1], NOW), 2).first) == ["x"]


def test_an_end_told_before_the_clock_was_set_back_takes_no_place() -> None:
    ended = [OpenPage(over("b"), NOW), OpenPage(all_over("b"), NOW)]
    pages = sorted_out(ended, NOW - timedelta(hours=3))
    assert (pages.ended, pages.together_ended) == ([], [])


ranks = st.builds(Gravity, real=st.booleans(), emergency=st.booleans(), severity=st.integers(0, 4))


@given(st.lists(ranks, max_size=60), st.integers(1, 10), st.integers(0, 12))
def test_nothing_is_lost_and_no_more_are_paged_than_there_are_places(
    gravities: list[Gravity], limit: int, ended: int
) -> None:
    drafts = [a_draft(str(number), gravity) for number, gravity in enumerate(gravities)]
    pages = Pages({}, None, None, [NOW] * ended, [], {}, None)
    first, rest = chosen(drafts, pages, limit)
    assert sorted(names([*first, *rest])) == sorted(draft.alert_id for draft in drafts)
    assert len(first) <= max(limit - ended, 0) or len(first) == 1
    assert len(first) + ended <= max(2 * limit, ended)
    if first and rest:
        assert min(draft.gravity for draft in first) >= max(draft.gravity for draft in rest)


# --- when the page about many is due ---


def due(drafts: int, said: Together | None, *, at: timedelta = MINUTES[0], **changes: object) -> datetime | None:
    """`said` was accepted NOW and knew of all drafts up to number 9; it is looked at after `at`."""
    last = [OpenPage(together_id(said), NOW)] if said is not None else []
    ended = [OpenPage(all_over(str(number)), NOW) for number in range(int(str(changes.pop("ended", 0))))]
    rest = [a_draft(str(number)) for number in range(drafts - 1)]
    rest.append(a_draft("last", seq=10 if changes.pop("new", False) else 9))
    reminding = Reminding(timedelta(minutes=5), at_most=2 if changes.pop("at_most", None) else None, one_by_one=3)
    return together_due(rest, sorted_out([*last, *ended], NOW + at), reminding, NOW + at)


def test_the_first_is_due_at_once_and_the_next_on_the_rhythm_of_any_page() -> None:
    assert due(1, None) == NOW
    assert due(40, Together("x", 1, 30, 9)) == NOW + MINUTES[5]
    assert due(40, Together("x", 1, 30, 9), at=MINUTES[7]) == NOW + MINUTES[5]


def test_ten_times_as_many_are_told_at_once() -> None:
    assert due(10, Together("x", 1, 1, 9)) == NOW
    assert due(9, Together("x", 1, 1, 9)) == NOW + MINUTES[5]


def test_no_more_reminders_than_configured_unless_a_draft_is_new() -> None:
    said = Together("x", 3, 30, 9)
    assert due(30, said, at_most=True) is None
    assert due(30, said, at_most=True, new=True) == NOW + MINUTES[5]


def test_one_that_comes_and_goes_begins_only_so_many() -> None:
    assert due(1, None, ended=2) == NOW
    assert due(1, None, ended=3) == NOW + MINUTES[5]


# --- names ---


@pytest.mark.parametrize("draft", ["01ABC", "a-page-1", "a-drafts-1-2", "a-drafts-end"])
def test_a_page_is_never_taken_for_another_kind(draft: str) -> None:
    many = Together(draft, 12, 1600, 31)
    assert together(together_id(many)) == many
    assert draft_and_number(page_id(draft, 3)) == (draft, 3)
    for page in (page_id(draft, 3), over(draft), together_id(many), all_over(draft), notice_id(draft)):
        kinds = [
            draft_and_number(page) is not None,
            is_ending(page),
            together(page) is not None,
            is_together_ending(page),
        ]
        assert sum(kinds) == (not page.endswith("notice")), page
