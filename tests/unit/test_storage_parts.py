"""The store's pure parts: instants, masks, selection, histograms, the gathering of a batch."""

import string
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.domain.alert import Purpose, Severity
from alertd.domain.delivery import State
from alertd.domain.problems import Forbidden
from alertd.domain.subscriber import Cohort, Consent, Endpoint, Preference, Subscriber
from alertd.domain.times import micros
from alertd.ports.stores.intake import Target
from alertd.storage.addresses import address_key
from alertd.storage.connect import path_of
from alertd.storage.problems import StoreMisconfigured, as_unavailable
from alertd.storage.roster import gather
from alertd.storage.selection import RANKS, Matcher
from alertd.storage.settle import AFTER
from alertd.storage.tally import bucket_of, counts, quantile
from alertd.storage.types import clean, instant, purpose_mask, purposes_of

INSTANTS = st.datetimes(datetime(1971, 1, 1), datetime(2900, 1, 1), timezones=st.timezones())  # noqa: DTZ001 - hypothesis adds the zone
ZONES = st.sampled_from([*"ABC", "*"])
TARGETS = st.lists(st.builds(Target, ZONES, st.sampled_from([1, 2, 4, 1 << 59]), st.integers(1, 4)), max_size=8)


@given(INSTANTS)
def test_an_instant_comes_back_to_the_microsecond_and_in_utc(at: datetime) -> None:
    back = instant(micros(at))
    assert back == at.astimezone(UTC)
    assert back.tzinfo is UTC


@given(st.frozensets(st.sampled_from(list(Purpose))))
def test_purposes_are_a_mask_and_back(purposes: frozenset[Purpose]) -> None:
    assert purposes_of(purpose_mask(purposes)) == purposes


@given(TARGETS, st.frozensets(ZONES, min_size=1), st.sampled_from(RANKS))
def test_blocks_are_those_of_every_target_that_selects(targets: list[Target], zones: frozenset[str], rank: int) -> None:
    expected = 0
    for target in targets:
        here = target.zone == "*" or target.zone in zones or "*" in zones
        if here and target.severity >= rank:
            expected |= target.bit
    matcher = Matcher(targets)
    assert matcher.blocks(sorted(zones), rank) == expected
    assert matcher.everywhere(rank) & ~expected == 0
    assert matcher.zoned == any(target.zone != "*" for target in targets)


def test_every_rank_of_severity_has_its_mask() -> None:
    assert {severity.rank for severity in Severity} == set(RANKS)


@given(st.floats(1.01, 1e9))
def test_a_bucket_is_about_nine_percent_wide(milliseconds: float) -> None:
    middle = quantile({bucket_of(milliseconds): 1}, 0.5)
    assert middle is not None
    assert abs(middle - milliseconds) <= 0.05 * milliseconds + 1  # a quantile is a whole millisecond


def test_quantiles_of_a_histogram() -> None:
    assert quantile({}, 0.5) is None
    assert quantile({0: 1}, 0.99) == 1
    assert bucket_of(0) == bucket_of(-5) == 0
    histogram = {bucket_of(100): 99, bucket_of(9_000): 1}
    assert quantile(histogram, 0.99) == quantile({bucket_of(100): 1}, 0.5)
    assert quantile(histogram, 1.0) == quantile({bucket_of(9_000): 1}, 0.5)
    assert counts({"3": 4}) == {3: 4}
    assert counts(None) == {}


@given(st.text(st.characters(exclude_categories=())))
def test_clean_text_can_be_stored_and_ordinary_text_stays(text: str) -> None:
    cleaned = clean(text)
    assert "\0" not in cleaned
    cleaned.encode()
    assert clean(cleaned) == cleaned
    assert cleaned == "".join(c for c in text if c != "\0" and not "\ud800" <= c <= "\udfff")


def test_settling_never_leaves_a_delivery_in_flight() -> None:
    assert State.SENDING not in AFTER.values()


def test_a_key_is_short_stable_and_its_own() -> None:
    assert address_key("a@example.org") == address_key("a@example.org") != address_key("b@example.org")
    assert len(address_key("x" * 10_000)) == 24
    assert set(address_key("ü")) <= set(string.ascii_letters + string.digits + "-_")


@pytest.mark.parametrize("slashes", ["///", "////"])
def test_a_store_url_is_absolute(slashes: str) -> None:
    assert path_of(f"sqlite:{slashes}var/lib/alertd.db") == Path("/var/lib/alertd.db")


@pytest.mark.parametrize("url", ["sqlite:x.db", "sqlite://x.db", "sqlite:///x/", "sqlite:///x?mode=ro", "file:///x"])
def test_a_url_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(StoreMisconfigured):
        path_of(url)


def test_a_refusal_of_the_house_is_not_a_refusal_of_the_disk() -> None:
    assert as_unavailable(Forbidden("its author")) is None
    assert as_unavailable(KeyError("x")) is None
    assert as_unavailable(PermissionError(13, "Permission denied")) is not None


def _person(name: int, endpoints: list[int]) -> Subscriber:
    at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=name)
    wish = Preference(str(name), ("A",))
    addresses = tuple(Endpoint("mail", str(number)) for number in endpoints)
    return Subscriber(f"s{name}", wish, Cohort.PUBLIC, addresses, Consent("x", at), at, at)


@given(st.lists(st.lists(st.integers(0, 8), max_size=3), max_size=12))
def test_a_batch_is_gathered_as_if_written_one_after_the_other(rows: list[list[int]]) -> None:
    entries = gather([_person(i, endpoints) for i, endpoints in enumerate(rows)])
    keys = [key for entry in entries for key in entry.endpoints]
    assert len(keys) == len(set(keys)), "an endpoint belongs to one person"
    assert {address_key(str(number)) for numbers in rows for number in numbers} == {key for _, key in keys}
    assert sorted(one for entry in entries for one in entry.ids) == sorted(f"s{i}" for i in range(len(rows)))
    for entry in entries:
        newest = max(int(one[1:]) for one in entry.ids)
        assert entry.latest.preference.language == str(newest), "the last word counts"
