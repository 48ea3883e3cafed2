"""What a feed lists: what is asked for, when, and what is never given up."""

from datetime import timedelta
from itertools import pairwise

from alertd.ingest.feed import GONE_TRIES, LONGEST_WAIT, Feed
from alertd.ingest.readers.cap_feed import Entry
from tests.support.clock import START

EVERY = 60.0


def entry(name: str, minute: int = 0) -> Entry:
    return Entry(name, START + timedelta(minutes=minute), "t", f"https://x.example/{name}")


def test_what_is_listed_is_asked_for_less_and_less_and_never_given_up() -> None:
    feed, one = Feed(EVERY), entry("a")
    feed.lists((one,))
    asked = []
    for poll in range(3000):
        now = poll * EVERY
        if feed.next(20, now):
            asked.append(poll)
            feed.failed(one, now, "it answers 500")
    assert asked[:6] == [0, 1, 2, 5, 12, 27]
    assert feed.lacking() == "1 documents of its feed cannot be had: it answers 500"
    assert feed.given_up() == ()
    assert max(b - a for a, b in pairwise(asked)) * EVERY == LONGEST_WAIT
    feed.read(one)
    assert feed.lacking() == ""


def test_what_is_gone_is_given_up_aloud_and_a_new_version_is_asked_for() -> None:
    feed, one = Feed(EVERY), entry("a")
    feed.lists((one,))
    for _ in range(GONE_TRIES):
        assert feed.given_up() == ()
        feed.failed(one, 0, "it answers 404", gone=True)
    (violation,) = feed.given_up()
    assert "it answers 404" in violation.message
    feed.lists((one,))
    assert feed.next(20, 1e9) == []
    feed.lists((entry("a", 1),))
    assert feed.next(20, 0) == [entry("a", 1)]


def test_those_never_asked_for_come_before_those_that_failed() -> None:
    feed = Feed(EVERY)
    feed.lists((entry("new", 9), entry("old", 1)))
    feed.failed(entry("new", 9), 0, "it drips")
    assert [one.id for one in feed.next(1, 0)] == ["old"]
    feed.lists((entry("old", 1),))
    assert feed.lacking() == ""
