"""The roster of a channel on the store: who is active there and wants a purpose, by id."""

from pathlib import Path

from alertd.domain.alert import Purpose
from alertd.domain.subscriber import Endpoint, EndpointState
from alertd.ports.roster import Roster
from alertd.storage import Store
from tests.integration.store_stand import a_subscriber, mail, opened


async def everyone(roster: Roster, purpose: Purpose, limit: int) -> list[str]:
    found: list[str] = []
    after = 0
    while rows := await roster.endpoints(purpose, after=after, limit=limit):
        assert len(rows) <= limit
        assert [one for one, _ in rows] == sorted({one for one, _ in rows})
        assert rows[0][0] > after
        found += [address for _, address in rows]
        after = rows[-1][0]
    return found


def push(name: str, state: EndpointState = EndpointState.ACTIVE) -> Endpoint:
    return Endpoint("push", name, state=state)


async def populate(store: Store) -> None:
    both = (Purpose.EMERGENCY, Purpose.EVENT)
    await store.enrol(
        [
            a_subscriber("1", push("a"), mail("a")),
            a_subscriber("2", push("b"), push("c"), purposes=both),
            a_subscriber("3", push("d"), purposes=(Purpose.SERVICE,)),
            a_subscriber("4", push("e", EndpointState.UNCONFIRMED), purposes=both),
            a_subscriber("5", push("f", EndpointState.GONE), purposes=both),
            a_subscriber("6", push("g"), purposes=both),
        ],
        actor="import",
    )


async def test_only_the_channels_active_endpoints_that_want_the_purpose(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await populate(store)
        roster: Roster = store.roster("push")
        for limit in (1, 2, 100):
            assert await everyone(roster, Purpose.EMERGENCY, limit) == ["a", "b", "c", "g"]
            assert await everyone(roster, Purpose.EVENT, limit) == ["b", "c", "g"]
            assert await everyone(roster, Purpose.SERVICE, limit) == ["d"]
        assert await roster.count() == 5
        assert await everyone(store.roster("mail"), Purpose.EMERGENCY, 10) == ["a@example.org"]
        assert await store.roster("elsewhere").count() == 0


async def test_who_goes_and_who_comes(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await populate(store)
        roster = store.roster("push")
        last = (await roster.endpoints(Purpose.EMERGENCY, after=0, limit=100))[-1][0]
        await store.delete_subscriber("2", actor="x")
        await store.enrol([a_subscriber("7", push("h"))], actor="x")
        assert [a for _, a in await roster.endpoints(Purpose.EMERGENCY, after=last, limit=9)] == ["h"]
        assert await everyone(roster, Purpose.EMERGENCY, 100) == ["a", "g", "h"]
