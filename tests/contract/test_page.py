"""What an adapter does with a page: takes through the gate, settles once, stops when told."""

import asyncio
import gc
import time
import weakref

import pytest

from alertd.domain.delivery import Accepted, Delivered
from alertd.ports.adapter import Parcel
from alertd.sandbox.faults import Fault, Faults, Kind
from tests.contract.stand import Stand, until
from tests.support.pages import Book, ListPage


async def test_a_closed_page_sends_nothing(stand: Stand) -> None:
    page = stand.page()
    page.close()  # as when the deadline has passed
    assert await stand.send(page) == {}
    assert stand.provider.ledger.messages == 0


async def test_an_empty_page_is_no_trouble(stand: Stand) -> None:
    assert await stand.send(stand.page(parcels=[])) == {}


async def test_a_page_that_closes_midway_sends_no_more(stand: Stand) -> None:
    if not stand.guest.addressed:
        pytest.skip("a broadcast page has one parcel")

    def close_at_the_sixth(page: ListPage, _parcel: Parcel) -> None:
        if len(page.taken) >= 5:
            page.close()

    page = stand.page(parcels=stand.parcels(30), before=close_at_the_sixth)
    verdicts = await stand.send(page)
    assert len(verdicts) == len(page.taken) == 5
    assert stand.provider.ledger.messages == 5


async def test_every_parcel_is_settled_once_whatever_befalls(hasty: Stand) -> None:
    rules = (
        Fault(Kind.RESET, probability=0.2),
        Fault(Kind.STATUS, probability=0.2),
        Fault(Kind.HALF, probability=0.2),
        Fault(Kind.HANG, probability=0.1),
    )
    hasty.provider.faults = Faults(rules)
    parcels = hasty.parcels(24 if hasty.guest.addressed else 1)
    verdicts = await hasty.send(hasty.page(parcels=parcels))  # the Book refuses a second settle
    assert verdicts.keys() == {parcel.delivery_id for parcel in parcels}
    accepted = sum(isinstance(verdict, (Accepted, Delivered)) for verdict in verdicts.values())
    assert accepted <= hasty.provider.ledger.messages


async def test_cancellation_comes_through_at_once_and_leaves_nothing(stand: Stand) -> None:
    stand.provider.faults = Faults((Fault(Kind.HANG),))
    page = stand.page()
    book = Book(page)
    sending = asyncio.create_task(stand.adapter.send(page, book))
    await stand.requests(1)
    began = time.monotonic()
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert time.monotonic() - began < 10  # far from any timeout, and yet enough for a busy machine
    known, taken = dict(book.verdicts), len(page.taken)
    await asyncio.sleep(0.05)
    assert (book.verdicts, len(page.taken)) == (known, taken)
    # The fixture proves that no task and no connection is left.


async def test_a_repeat_is_known_again_where_the_channel_says_so(stand: Stand) -> None:
    if not stand.adapter.traits.idempotent:
        pytest.skip("this channel cannot recognise a repeat")
    parcels = stand.parcels(1)
    message = stand.page().message
    await stand.send(stand.page(message, parcels))
    await stand.send(stand.page(message, parcels))
    assert stand.provider.ledger.messages == 2
    assert stand.provider.ledger.duplicates.total() == 1


async def test_two_pages_at_once_do_not_mix(stand: Stand) -> None:
    if not stand.guest.addressed:
        pytest.skip("a broadcast page has one parcel")
    parcels = stand.parcels(12)
    first, second = stand.page(parcels=parcels[:6]), stand.page(parcels=parcels[6:])
    one, two = await asyncio.gather(stand.send(first), stand.send(second))
    assert one.keys() == {parcel.delivery_id for parcel in parcels[:6]}
    assert two.keys() == {parcel.delivery_id for parcel in parcels[6:]}
    assert stand.provider.ledger.messages == 12


async def test_a_page_that_was_sent_is_let_go(stand: Stand) -> None:
    """Without the garbage collector: it looks so seldom that a fan-out would pile up its pages meanwhile."""
    page = stand.page()
    kept = weakref.ref(page)
    gc.disable()
    try:
        await stand.send(page)
        del page
        await until(lambda: kept() is None)
    finally:
        gc.enable()
