"""Verdicts on their way back: what is accepted goes in groups, nothing else waits, and nothing is lost at the end."""

import asyncio

from adapters.email.compose import Letter
from adapters.email.shipment import Shipment
from alertd.domain.delivery import Accepted, Reason, Retry

LETTER = Letter(b"", b".\r\n", "id", "id")
LATER = Retry(Reason.CONNECT)


def shipment(heard, *, out, most=1_024):
    made = Shipment(LETTER, lambda delivery_id, verdict: heard.append((delivery_id, verdict)), most)
    made.outstanding = out
    return made


async def test_what_is_accepted_is_handed_on_together():
    heard = []
    ours = shipment(heard, out=1_000)
    for number in range(63):
        ours.settled(number, Accepted())
    assert heard == []
    ours.settled(63, Accepted())
    assert heard == [(number, Accepted()) for number in range(64)]


async def test_the_last_of_a_page_waits_for_nobody():
    heard = []
    ours = shipment(heard, out=2)
    ours.settled(1, Accepted())
    ours.settled(2, Accepted())
    assert [delivery_id for delivery_id, _ in heard] == [1, 2]
    await ours.at_most(0)


async def test_where_few_may_be_out_none_waits():
    heard = []
    shipment(heard, out=9, most=8).settled(1, Accepted())
    assert heard == [(1, Accepted())]


async def test_a_failure_is_told_at_once_and_in_its_place():
    heard = []
    ours = shipment(heard, out=9)
    ours.settled(1, Accepted())
    ours.settled(2, LATER)
    assert heard == [(1, Accepted()), (2, LATER)]


async def test_what_a_few_wait_for_ends():
    told = asyncio.Event()
    ours = Shipment(LETTER, lambda *_: told.set(), 1_024)
    ours.outstanding = 9
    ours.settled(1, Accepted())
    assert not told.is_set()
    async with asyncio.timeout(180):
        await told.wait()


async def test_what_the_relay_took_before_the_end_is_not_lost_and_nothing_comes_after():
    heard = []
    ours = shipment(heard, out=9)
    ours.settled(1, Accepted())
    ours.close()
    ours.settled(2, Accepted())
    ours.close()
    assert heard == [(1, Accepted())]
