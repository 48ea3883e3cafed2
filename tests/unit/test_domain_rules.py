"""Priority, expiry, severity, masking: small tables, each whole."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.domain.alert import Area, MsgType, Purpose, Reference, Severity, Status, Urgency
from alertd.domain.priority import EMERGENCY, EVENT, PRESSING, PRIORITIES, RESERVED, SERVICE, priority_of
from alertd.domain.problems import Invalid, Problem
from alertd.domain.subscriber import mask
from tests.unit.domain_words import NOW, alert, info

CALM = {(u, s) for u in Urgency for s in Severity if u in {Urgency.FUTURE, Urgency.PAST}} | {
    (u, s) for u in Urgency for s in Severity if s in {Severity.MODERATE, Severity.MINOR}
}


@pytest.mark.parametrize(("purpose", "urgency", "severity"), list(itertools.product(Purpose, Urgency, Severity)))
def test_priority_table(purpose: Purpose, urgency: Urgency, severity: Severity) -> None:
    expected = {Purpose.SERVICE: SERVICE, Purpose.EVENT: EVENT}.get(
        purpose, EMERGENCY if (urgency, severity) in CALM else PRESSING
    )
    assert priority_of(alert(info(urgency=urgency, severity=severity), purpose=purpose)) == expected


def test_the_worst_info_decides() -> None:
    calm, bad = info(severity=Severity.MINOR), info(language="en", severity=Severity.EXTREME)
    assert priority_of(alert(calm, bad)) == PRESSING


def test_a_cancel_without_info_is_pressing_only_for_an_emergency() -> None:
    assert priority_of(alert(msg_type=MsgType.CANCEL)) == PRESSING
    assert priority_of(alert(msg_type=MsgType.CANCEL, purpose=Purpose.EVENT)) == EVENT


def test_only_emergencies_have_reserved_lanes() -> None:
    assert set(RESERVED) == {PRESSING, EMERGENCY}
    assert list(PRIORITIES) == sorted(PRIORITIES)


def test_an_alert_ends_with_its_last_info_and_an_open_one_never() -> None:
    later = NOW + timedelta(hours=3)
    assert alert(info(expires=NOW), info(expires=later)).expires == later
    assert alert(info(expires=NOW), info(expires=None)).expires is None
    assert alert().expires is None


def test_only_actual_is_real() -> None:
    assert [s for s in Status if s.is_real] == [Status.ACTUAL]


def test_an_unknown_severity_is_not_filtered_away() -> None:
    ranks = [s.rank for s in (Severity.MINOR, Severity.MODERATE, Severity.SEVERE, Severity.EXTREME)]
    assert ranks == sorted(set(ranks))
    assert Severity.UNKNOWN.rank == Severity.SEVERE.rank


def test_zones_of_an_info_are_those_of_all_its_areas() -> None:
    assert info(area=(Area("a", zones=("1",)), Area("b", zones=("2", "1")))).zones == {"1", "2"}


def test_a_reference_is_written_byte_for_byte() -> None:
    assert str(Reference("a@b", "id", "2026-11-22T05:00:00-00:00")) == "a@b,id,2026-11-22T05:00:00-00:00"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("anna.rossi@example.org", "a…@example.org"),
        ("@example.org", "…@example.org"),
        ("123456789", "…789"),
        ("12345", "…"),
        ("", "…"),
        ('{"endpoint": "https://push.example.org/x"}', "…"),
    ],
)
def test_mask(address: str, shown: str) -> None:
    assert mask(address) == shown


@given(st.text(alphabet=st.characters(exclude_characters="@…"), min_size=2, max_size=60))
def test_a_mask_never_shows_who_it_is(user: str) -> None:
    assert user not in mask(f"{user}@example.org")
    assert len(mask(user)) <= 4


def test_problems_say_where() -> None:
    error = Invalid(Problem(("info", 0, "event"), "is empty"), Problem((), "is no object"))
    assert str(error) == "info.0.event: is empty; is no object"
    assert len(error.problems) == 2
