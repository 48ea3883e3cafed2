"""Faults inside the house: nothing stays in flight for ever, nothing reaches whom it must not."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from alertd.core import dispatch
from alertd.current import specs
from alertd.domain.delivery import Accepted, Retry
from alertd.ports.stores.intake import NewAlert, Stored
from alertd.sandbox.fake import FakeAdapter
from alertd.sandbox.faults import Fault, Faults, Kind
from tests.integration.fake_house import CHANNELS, FakeHouse, alert, fake_house, settings_of


async def _until(it: FakeHouse, alert_id: str, channel: str, **wanted: int) -> None:
    async with asyncio.timeout(180):
        while True:
            now = (await it.receipts(alert_id)).get(channel, {})
            if all(now.get(state) == count for state, count in wanted.items()):
                return
            await asyncio.sleep(0.01)


async def test_a_message_that_cannot_be_made_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with fake_house(tmp_path) as it:
        await it.enrol("a")
        render, faults = FakeAdapter.render, [ValueError("no words")]

        def broken(self: FakeAdapter, notice: object) -> object:
            if faults:
                raise faults.pop()
            return render(self, notice)  # type: ignore[arg-type]

        monkeypatch.setattr(FakeAdapter, "render", broken)
        sent = await it.send(channels=["people"])
        await it.settled(sent)
        assert (await it.receipts(sent))["people"]["delivered"] == 1


async def test_an_adapter_that_raises_before_it_takes_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "AGAIN", dispatch.AGAIN / 50)
    async with fake_house(tmp_path) as it:
        await it.enrol("a")
        send, faults = FakeAdapter.send, [RuntimeError("a bug")] * 3

        async def broken(self: FakeAdapter, page: object, settle: object) -> None:
            if faults:
                raise faults.pop()
            await send(self, page, settle)  # type: ignore[arg-type]

        monkeypatch.setattr(FakeAdapter, "send", broken)
        sent = await it.send(channels=["people"])
        await it.settled(sent)
        receipts = (await it.receipts(sent))["people"]
        assert (receipts["delivered"], receipts["attempts"]) == (1, 1)


async def test_an_absurd_retry_after_and_reference_harm_nobody_else(tmp_path: Path) -> None:
    async with fake_house(tmp_path) as it:
        for name in "abc":
            await it.enrol(name)
        said = {"a": Retry(reason="rate_limited", after=1e300), "b": Accepted("\udc80\x00ref")}  # type: ignore[arg-type]
        it.providers["people"].script = lambda parcel: said.get(parcel.address)
        sent = await it.send(channels=["people"])
        await _until(it, sent, "people", accepted=1, delivered=1)
        _, rows = await it.call("GET", f"/v1/alerts/{sent}/deliveries?state=accepted")
        assert [row["ref"] for row in rows["items"]] == ["ref"]


async def test_a_reload_over_a_hanging_provider_leaves_nothing_in_flight(tmp_path: Path) -> None:
    async with fake_house(tmp_path) as it:
        await it.enrol("a")
        await it.enrol("b", language="en")
        it.providers["people"].faults = Faults(rules=(Fault(Kind.HANG),))
        sent = await it.send(channels=["people"])
        await _until(it, sent, "people", sending=2)
        changed = settings_of(
            tmp_path,
            CHANNELS.replace(
                'adapter = "fake"\n[channels.square]', 'adapter = "fake"\nconcurrency = 9\n[channels.square]'
            ),
        )
        it.house.current.settings = changed
        await it.house.channels.apply(specs(changed), drain=0.2)
        await it.settled(sent)
        assert (await it.receipts(sent))["people"]["delivered"] == 2


async def test_a_post_accepted_while_its_channel_is_taken_away_goes_out_when_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fake_house(tmp_path) as it:
        store, stored, answer = it.house.store, asyncio.Event(), asyncio.Event()
        accept = store.accept

        async def slow(_: object, new: NewAlert, **more: Any) -> Stored:
            taken = await accept(new, **more)
            assert set(taken.claims) == {"square"}
            stored.set()
            await answer.wait()
            return taken

        monkeypatch.setattr(type(store), "accept", slow)
        sending = asyncio.create_task(it.send(channels=["square"]))
        await asyncio.wait_for(stored.wait(), 60)
        with_it = it.house.current.settings
        without = CHANNELS.replace('[channels.square]\nadapter = "fake"\naddressed = false\n', "")
        await it.house.channels.apply(specs(settings_of(tmp_path, without)))
        answer.set()
        sent = await sending
        await _until(it, sent, "square", queued=1)
        await it.house.channels.apply(specs(with_it))
        await it.settled(sent)
        assert len(it.providers["square"].parcels) == 1


async def test_no_drill_goes_out_on_a_channel_that_lost_its_mark(tmp_path: Path) -> None:
    async with fake_house(tmp_path) as it:
        it.providers["drillground"].faults = Faults(rules=(Fault(Kind.STATUS, status=401),))
        drill = await it.send("Exercise", channels=["drillground"])
        await _until(it, drill, "drillground", retrying=1)
        unmarked = settings_of(tmp_path, CHANNELS.replace("exercise = true", ""))
        it.house.current.settings = unmarked
        await it.house.channels.apply(specs(unmarked), drain=0.2)
        await it.settled(drill)
        receipts = (await it.receipts(drill))["drillground"]
        assert (receipts["failed"], receipts["delivered"]) == (1, 0)
        assert it.providers["drillground"].parcels == []
        code, answer = await it.call("POST", f"/v1/alerts/{drill}/update", alert("Exercise"))
        assert code in {202, 422}, answer
        assert code == 422 or "drillground" not in answer["channels"]


async def test_a_cancel_waits_for_a_broadcast_channel_that_is_gone(tmp_path: Path) -> None:
    async with fake_house(tmp_path) as it:
        await it.enrol("a")
        sent = await it.send()
        await it.settled(sent)
        without = settings_of(
            tmp_path, CHANNELS.replace('[channels.square]\nadapter = "fake"\naddressed = false\n', "")
        )
        with_it = it.house.current.settings
        it.house.current.settings = without
        await it.house.channels.apply(specs(without))
        code, answer = await it.call("POST", f"/v1/alerts/{sent}/cancel", {})
        assert code == 202
        cancel = answer["id"]
        await _until(it, cancel, "square", queued=1)
        it.house.current.settings = with_it
        await it.house.channels.apply(specs(with_it))
        await it.settled(cancel)
        assert len(it.providers["square"].parcels) == 2


async def test_each_block_ends_when_its_own_info_does(tmp_path: Path) -> None:
    """Empoli's statement is over within a second; Montelupo's is not. Empoli is not told late."""
    async with fake_house(tmp_path) as it:
        await it.enrol("here")
        await it.enrol("there", zones=("048014",))
        it.providers["people"].faults = Faults(rules=(Fault(Kind.STATUS, status=503, lasts=1.5),))
        long, short = alert("Actual")["info"][0], alert("Actual", zones=("048014",))["info"][0]
        now = datetime.now(UTC)
        infos = [
            {**long, "expires": (now + timedelta(hours=1)).isoformat()},
            {**short, "severity": "Extreme", "expires": (now + timedelta(seconds=1.2)).isoformat()},
        ]
        sent = await it.send(info=infos, channels=["people"])
        await it.settled(sent)
        receipts = (await it.receipts(sent))["people"]
        assert (receipts["delivered"], receipts["expired"]) == (1, 1)
        assert set(it.providers["people"].ledger.counts) == {"here"}
