"""What was kept and cannot be read: said loudly, set aside, and never overwritten."""

import asyncio
import hashlib

import pytest
import structlog

from alertd.core.readiness import Readiness
from alertd.domain.problems import Unavailable
from alertd.ingest.aside import Aside
from tests.support.desk_stand import DeskStand, Kept
from tests.unit.test_ingest_desk import document, forward, gauge, hears, kinds

SPOILT = b"{not what was written"
CONCERN = "1 records of rules or sources could not be read and were set aside: see the log"


def aside(name: str) -> str:
    return f"unread/{name}/{hashlib.sha256(SPOILT).hexdigest()[:16]}"


async def spoilt(name: str, stand: DeskStand) -> DeskStand:
    stand.store.things[name] = SPOILT
    stand.reborn()
    await stand.start()
    return stand


async def test_a_rule_begins_anew_and_its_old_record_lies_aside() -> None:
    stand = await spoilt("rule/prova", DeskStand(gauge()))
    assert stand.readiness.concerns == (CONCERN,)
    assert stand.store.things == {"rule/prova": SPOILT}
    await stand.reads(2.6)
    assert kinds(stand) == ["raise"]
    assert stand.store.things[aside("rule/prova")] == SPOILT
    assert stand.store.things["rule/prova"] != SPOILT
    await stand.reads(1.0)
    assert sorted(stand.store.things) == ["rule/prova", aside("rule/prova")]
    stand.reborn()
    await stand.start()
    assert stand.readiness.concerns == ()
    await stand.reads(2.6)
    assert kinds(stand) == ["raise", "clear", "raise"]


async def test_a_store_that_cannot_set_it_aside_overwrites_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stand = await spoilt("rule/prova", DeskStand(gauge()))
    keep = stand.store.keep

    async def full(name: str, content: bytes) -> None:
        if name.startswith("unread/"):
            raise Unavailable("the disk is full")
        await keep(name, content)

    with monkeypatch.context() as patched:
        patched.setattr(stand.store, "keep", full)
        assert not await stand.reads(2.6)
        assert stand.store.things == {"rule/prova": SPOILT}
        assert kinds(stand) == []
    await stand.desk.tick()
    assert kinds(stand) == ["raise"]
    assert stand.store.things[aside("rule/prova")] == SPOILT


async def test_the_threads_of_a_source_too() -> None:
    stand = await spoilt("threads/regione", forward())
    await hears(stand, document("a", 0), document("b", 5, kind="Update", severity="Extreme", of=("a", 0)))
    assert kinds(stand) == ["raise", "change"]
    assert stand.readiness.concerns == (CONCERN,)
    await stand.desk.tick()
    assert stand.store.things[aside("threads/regione")] == SPOILT
    assert stand.store.things["threads/regione"] != SPOILT


class Yielding(Kept):
    """As a database does, it lets others go first."""

    async def keep(self, name: str, content: bytes) -> None:
        await asyncio.sleep(0)
        await super().keep(name, content)


async def test_two_who_keep_it_at_the_same_time_are_both_told_that_it_is_kept() -> None:
    store = Yielding()
    kept = Aside(store, structlog.get_logger(), Readiness())
    kept.unreadable("threads/feed", SPOILT, ValueError("spoilt"))
    await asyncio.gather(kept.keep("threads/feed", b"1"), kept.keep("threads/feed", b"2"))
    assert store.things == {aside("threads/feed"): SPOILT, "threads/feed": b"2"}
