"""The sandbox's pure parts: faults, ledger, limits, the Bot API's HTML."""

import pytest

from alertd.sandbox.bot_html import UnparsableError, length, visible
from alertd.sandbox.bot_limits import Limiter, Rates
from alertd.sandbox.faults import Fault, Faults, Injector, Kind, Phase
from alertd.sandbox.ledger import Ledger


class Hand:
    def __init__(self) -> None:
        self.time = 1_000.0

    def __call__(self) -> float:
        return self.time


def injector(*rules: Fault, hand: Hand | None = None, chance: float = 0.5) -> Injector:
    return Injector(Faults(rules), clock=hand or Hand(), chance=lambda: chance)


def test_only_the_first_n() -> None:
    chooser = injector(Fault(Kind.HANG, first=2))
    assert [chooser.pick("a").fault is not None for _ in range(4)] == [True, True, False, False]


def test_only_for_a_while() -> None:
    hand = Hand()
    chooser = injector(Fault(Kind.HANG, lasts=10), hand=hand)
    hand.time += 9.9
    assert chooser.pick("a").fault is not None
    hand.time += 0.1
    assert chooser.pick("a").fault is None


def test_only_these_recipients_and_this_phase() -> None:
    chooser = injector(Fault(Kind.RESET, phase=Phase.RCPT, recipients=frozenset({"a"})))
    assert chooser.pick("a").fault is None
    assert chooser.pick("b", Phase.RCPT).fault is None
    assert chooser.pick("a", Phase.RCPT).fault is not None


@pytest.mark.parametrize(("chance", "struck"), [(0.29, True), (0.3, False)])
def test_probability(chance: float, struck: bool) -> None:
    assert (injector(Fault(Kind.RESET, probability=0.3), chance=chance).pick("a").fault is not None) is struck


def test_latency_adds_to_the_first_fault() -> None:
    rules = (Fault(Kind.LATENCY, seconds=0.2), Fault(Kind.LATENCY, seconds=0.1), Fault(Kind.HANG), Fault(Kind.RESET))
    strike = injector(*rules).pick("a")
    assert strike.latency == pytest.approx(0.3)
    assert strike.fault == Fault(Kind.HANG)


def test_a_repeat_is_counted_and_told() -> None:
    ledger = Ledger()
    assert ledger.took("a", b"1", b"x", at=1.0)
    assert not ledger.took("a", b"1", b"x", at=2.0)
    assert ledger.took("a", b"2", b"y", at=3.0)
    assert ledger.took("b", b"1", b"x", at=4.0)
    assert ledger.counts == {"a": 3, "b": 1}
    assert ledger.duplicates == {"a": 1}
    assert ledger.bodies == {"a": b"y", "b": b"x"}
    assert (ledger.messages, ledger.stats()["duplicates"]) == (4, 1)


def test_who_comes_back_too_early() -> None:
    hand = Hand()
    ledger = Ledger(clock=hand)
    ledger.announce(5)
    hand.time += 0.05
    ledger.arrived("in flight when it was said")
    hand.time += 1
    ledger.announce(5)  # overlapping: one window, until 6.05 after the first
    ledger.arrived("a")
    hand.time += 4.9
    ledger.arrived("b")
    hand.time += 0.1
    ledger.arrived("obedient")
    assert [early.recipient for early in ledger.inside_retry_after()] == ["a", "b"]


def test_a_wait_for_one_binds_nobody_else() -> None:
    hand = Hand()
    ledger = Ledger(clock=hand)
    ledger.announce(5, "a")
    hand.time += 1
    ledger.arrived("b")
    assert not ledger.early
    ledger.arrived("a")
    assert len(ledger.inside_retry_after()) == 1


def test_no_more_bodies_are_kept_than_asked() -> None:
    ledger = Ledger(keep=1)
    for recipient in ("a", "b", "a"):
        ledger.took(recipient, b"", recipient.encode() * 2, at=0)
    assert ledger.bodies == {"a": b"aa"}


def test_bot_limits() -> None:
    hand = Hand()
    limiter = Limiter(Rates(overall=30, burst=3), hand)
    assert [limiter.admit(str(i)) for i in range(3)] == [None] * 3
    assert (refusal := limiter.admit("3")) is not None
    assert (refusal.retry_after, refusal.chat_only) == (1, False)
    hand.time += 0.1
    assert (refusal := limiter.admit("0")) is not None
    assert (refusal.retry_after, refusal.chat_only) == (1, True)
    hand.time += 0.9
    assert limiter.admit("0") is None


@pytest.mark.parametrize(
    ("markup", "read"),
    [
        ("<b>Allerta</b> &amp; &lt;x&gt; &#39; &nbsp;", "Allerta & <x> ' &nbsp;"),
        ('<a href="https://x.it/?a=1&amp;b=2">qui</a>', "qui"),
        ("<blockquote>a<i>b</i></blockquote>", "ab"),
        ("1 & 2", "1 & 2"),
    ],
)
def test_html_that_is_taken(markup: str, read: str) -> None:
    assert visible(markup) == read


@pytest.mark.parametrize(
    ("markup", "why"),
    [
        ("<b>a", 'end tag corresponding to start tag "b"'),
        ("<b>a</i>", 'expected "</b>"'),
        ("a</b>", "Unexpected end tag"),
        ("<p>a</p>", 'Unsupported start tag "p"'),
        ("1 < 2", 'Unsupported start tag ""'),
        ("<b", "Unclosed start tag"),
        ("àè<br/>", 'Unsupported start tag "br" at byte offset 4'),
    ],
)
def test_html_that_is_refused(markup: str, why: str) -> None:
    with pytest.raises(UnparsableError, match=why):
        visible(markup)


def test_length_counts_utf16() -> None:
    assert length("a⛈🌊") == 4
