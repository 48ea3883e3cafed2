"""Messages of other systems in the store: kept with what they became, in one transaction or not at all."""

from dataclasses import replace
from pathlib import Path

import pytest

from alertd.domain.alert import AlertState, MsgType, Reference
from alertd.domain.problems import Conflict, NotFound
from alertd.domain.signal import Violation
from alertd.ports.stores.intake import Answer, IdempotencyKey, Origin
from alertd.ports.stores.peers import News
from tests.integration.store_stand import HOOK, NOW, check_whole, new, opened, sql

NAME = Reference("centro@regione.example.it", "R-1", "2026-11-22T06:00:00+01:00")
ORIGIN = Origin(
    NAME, MsgType.ALERT, "f-1", b"<alert/>", violations=(Violation("line 3", "urgency is missing"),), answer=b"{}"
)


async def test_a_message_is_found_by_its_name_and_one_of_ours_by_its_own(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        taken, ours = replace(new(HOOK), origin=ORIGIN), new(HOOK)
        await store.accept(taken)
        await store.accept(ours)
        own = Reference(ours.alert.sender, ours.alert.identifier, ours.alert.sent)
        found = await store.remembered([own, NAME, replace(NAME, identifier="R-2"), replace(NAME, sender="x@y.it")])
        assert {(one.name, one.alert_id, one.answer) for one in found} == {
            (NAME, taken.alert.id, Answer("f-1", b"{}")),
            (own, ours.alert.id, None),
        }
        assert [one.name for one in await store.remembered([replace(NAME, sent="2026-11-22T05:00:00-00:00")])] == [NAME]
    assert sql(tmp_path, "SELECT document FROM peer_message") == [(b"<alert/>",)]
    check_whole(tmp_path)


async def test_a_name_that_is_taken_undoes_the_whole_acceptance(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.accept(replace(new(HOOK), origin=ORIGIN))
        late = replace(new(HOOK), origin=ORIGIN, idempotency=IdempotencyKey("anna", "k", "f", b"{}"))
        with pytest.raises(Conflict, match="R-1"):
            await store.accept(late)
        assert await store.answer("anna", "k") is None
        with pytest.raises(NotFound):
            await store.get_alert(late.alert.id)
    assert len(sql(tmp_path, "SELECT seq FROM audit WHERE action = 'alert.accept'")) == 1
    check_whole(tmp_path)


async def test_news_is_kept_once_and_only_of_what_there_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        taken = new(HOOK)
        await store.accept(taken)
        key = IdempotencyKey("anna", "k", "f", b"answer")
        news = News(replace(ORIGIN, msg_type=MsgType.ACK), (taken.alert.id,), "ricevuto", "anna", NOW, key)
        assert await store.record(news) is None
        assert await store.record(news) == Answer("f", b"answer")
        with pytest.raises(Conflict):
            await store.record(replace(news, idempotency=None))
        unnamed = replace(ORIGIN, name=replace(NAME, identifier="R-9"))
        with pytest.raises(NotFound):
            await store.record(replace(news, origin=unnamed, about=("nobody",), idempotency=None))
        [one] = await store.remembered([NAME])
        assert (one.msg_type, one.alert_id) == (MsgType.ACK, taken.alert.id)
        assert (await store.get_alert(taken.alert.id)).followed_by is None
    [(details,)] = sql(tmp_path, "SELECT details FROM audit WHERE action = 'alert.ack'")
    assert "urgency is missing" in details
    check_whole(tmp_path)


async def test_one_alert_ends_several_or_none(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        one, two, other = new(HOOK), new(HOOK), new(HOOK)
        for alert in (one, two, other):
            await store.accept(alert)
        heads = (one.alert.id, two.alert.id)
        both = replace(new(HOOK), ancestors=heads, heads=2, ends=AlertState.SUPERSEDED)
        await store.accept(both)
        for head in heads:
            found = await store.get_alert(head)
            assert (found.state, found.followed_by) == (AlertState.SUPERSEDED, both.alert.id)
        late = replace(new(HOOK), ancestors=(other.alert.id, two.alert.id), heads=2, ends=AlertState.CANCELLED)
        with pytest.raises(Conflict, match=two.alert.id):
            await store.accept(late)
        assert (await store.get_alert(other.alert.id)).followed_by is None
    check_whole(tmp_path)
