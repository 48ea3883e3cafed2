"""What was kept and cannot be read: said loudly, set aside, and never overwritten."""

import hashlib

import pytest

from alertd.domain.problems import Unavailable
from tests.support.desk_stand import DeskStand
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
