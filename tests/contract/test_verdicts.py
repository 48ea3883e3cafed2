"""Each answer of each provider → the verdict; each way a connection breaks → the verdict."""

import time
from pathlib import Path

import pytest

from alertd.domain.delivery import Accepted, Delivered, Gone, Reason, Retry
from alertd.sandbox.faults import Fault, Faults, Kind, Phase
from tests.contract.guests import GUESTS, TIMEOUT, Answer, Guest
from tests.contract.stand import Stand, stand_for
from tests.support.notices import DRILL_MARK, ISSUER

RETRY_TESTS = [
    pytest.param(guest, answer, id=f"{guest.name}-{answer.name}") for guest in GUESTS for answer in guest.answers
]


@pytest.mark.parametrize(("which", "answer"), RETRY_TESTS)
async def test_every_answer_has_its_verdict(which: Guest, answer: Answer, folder: Path) -> None:
    async with stand_for(which, folder) as stand:
        assert await stand.verdict_under(Faults((answer.fault,))) == answer.verdict
        assert stand.provider.ledger.messages == 0


async def test_a_good_answer_is_accepted_and_arrives_once(stand: Stand) -> None:
    verdicts = await stand.send(stand.page())

    assert len(verdicts) == stand.crowd
    assert all(isinstance(verdict, (Accepted, Delivered)) for verdict in verdicts.values())
    ledger = stand.provider.ledger
    assert ledger.counts == {stand.guest.recipient(i): 1 for i in range(stand.crowd)}
    assert ledger.duplicates.total() == 0
    assert ledger.answers.keys() <= {200, 201, 204, 250}


async def test_it_says_who_speaks_and_that_it_is_a_drill(stand: Stand) -> None:
    await stand.send(stand.page())
    if stand.guest.name != "fake":
        said = str(stand.provider.read(stand.guest.recipient(0)))  # type: ignore[union-attr]
        assert DRILL_MARK in said
        assert ISSUER in said


async def test_gone_is_only_for_those_who_are(stand: Stand) -> None:
    if not stand.guest.addressed:
        pytest.skip("a broadcast channel has no endpoints")
    gone = {stand.guest.recipient(i) for i in (1, 4)}
    stand.provider.faults = Faults(gone=frozenset(gone))
    verdicts = await stand.send(stand.page())
    assert {i for i, verdict in verdicts.items() if isinstance(verdict, Gone)} == {501, 504}, verdicts
    assert stand.provider.ledger.counts.keys() == {stand.guest.recipient(i) for i in range(stand.crowd)} - gone


async def test_one_that_fails_does_not_spoil_the_others(stand: Stand) -> None:
    if not stand.guest.addressed:
        pytest.skip("a broadcast channel has one recipient")
    broken = frozenset(stand.guest.recipient(i) for i in (0, 7))
    stand.provider.faults = Faults((Fault(Kind.STREAM, recipients=broken),))  # a RESET would take all on the connection
    verdicts = await stand.send(stand.page())
    assert {i for i, v in verdicts.items() if isinstance(v, Retry)} == {500, 507}, verdicts
    assert len(stand.provider.ledger.counts) == stand.crowd - 2


async def test_connection_refused(stand: Stand) -> None:
    page = stand.page(parcels=stand.parcels(1))
    if stand.guest.name == "fake":
        stand.provider.faults = Faults((Fault(Kind.RESET, phase=Phase.CONNECT),))
    else:
        await stand.stop_provider()
    assert list((await stand.send(page)).values()) == [Retry(Reason.CONNECT)]


async def test_no_answer(hasty: Stand) -> None:
    await _times_out(hasty, Fault(Kind.HANG))


@pytest.mark.parametrize("taken", [False, True])
async def test_connection_reset(stand: Stand, taken: bool) -> None:
    assert await stand.verdict_under(Faults((Fault(Kind.RESET, taken=taken),))) == Retry(Reason.BROKEN)


async def test_half_an_answer(stand: Stand) -> None:
    assert await stand.verdict_under(Faults((Fault(Kind.HALF),))) == Retry(Reason.BROKEN)
    assert stand.provider.ledger.messages == 1  # it had arrived: the outcome is unknown, not failed


async def test_one_byte_a_second_is_no_answer(hasty: Stand) -> None:
    await _times_out(hasty, Fault(Kind.DRIP, seconds=1.0))


async def test_a_drip_fast_enough_to_reset_idle_timers_is_no_answer_either(hasty: Stand) -> None:
    await _times_out(hasty, Fault(Kind.DRIP, seconds=TIMEOUT / 6))


async def test_after_a_fault_the_channel_works_again(hasty: Stand) -> None:
    for kind in (Kind.RESET, Kind.HANG):
        await hasty.verdict_under(Faults((Fault(kind),)))
    await hasty.accepts_again()


async def _times_out(hasty: Stand, fault: Fault) -> None:
    """The whole answer would take 4 s or for ever; what is over TIMEOUT is what a busy machine may need."""
    await hasty.accepts_again()
    began = time.monotonic()
    assert await hasty.verdict_under(Faults((fault,))) == Retry(Reason.TIMEOUT)
    assert time.monotonic() - began < TIMEOUT + 20
