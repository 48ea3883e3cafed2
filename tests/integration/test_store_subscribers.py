"""Subscribers: enrolled in batches, matched by endpoint, shown, replaced, confirmed, forgotten."""

from dataclasses import replace
from pathlib import Path

import pytest

from alertd.domain.alert import Purpose, Severity
from alertd.domain.problems import Conflict, NotFound
from alertd.domain.subscriber import Cohort, Consent, Endpoint, EndpointState
from alertd.ports.stores.subscribers import Enrolment
from tests.integration.store_stand import HOUR, NOW, SECOND, a_subscriber, mail, opened, sql


async def test_a_subscriber_comes_back_without_loss(tmp_path: Path) -> None:
    wanted = replace(
        a_subscriber(
            "s",
            mail("s", EndpointState.UNCONFIRMED),
            Endpoint("push", '{"endpoint": "https://x/ü"}'),
            zones=("048014", "048028"),
            language="sl",
            purposes=(Purpose.SERVICE, Purpose.EVENT),
            min_severity=Severity.UNKNOWN,
            cohort=Cohort.EXERCISE,
        ),
        consent=Consent("web", NOW - HOUR, NOW),
        created_at=NOW - HOUR,
    )
    async with opened(tmp_path) as store:
        await store.enrol([wanted], actor="web")
        got = await store.get_subscriber("s")
        assert replace(got, endpoints=tuple(replace(e, id=0) for e in got.endpoints)) == wanted
        assert all(endpoint.id for endpoint in got.endpoints)
        with pytest.raises(NotFound):
            await store.get_subscriber("t")


async def test_a_shared_endpoint_makes_it_the_same_person(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        assert await store.enrol([a_subscriber("old", mail("a"))], actor="x") == Enrolment(1, 0)
        again = a_subscriber("new", mail("a"), mail("b"), zones=("Z",), language="de")
        assert await store.enrol([again], actor="x") == Enrolment(0, 1)
        got = await store.get_subscriber("old")
        assert (got.preference.zones, got.preference.language) == (("Z",), "de")
        assert [endpoint.address for endpoint in got.endpoints] == ["a@example.org", "b@example.org"]
        with pytest.raises(NotFound):
            await store.get_subscriber("new")
        assert await store.enrol([a_subscriber("old", mail("c"))], actor="x") == Enrolment(0, 1)
        assert len((await store.get_subscriber("old")).endpoints) == 3


async def test_counts_are_honest_within_a_batch_too(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        batch = [
            a_subscriber("1", mail("a")),
            a_subscriber("2", mail("b")),
            a_subscriber("3", mail("a"), mail("c"), language="de"),
            a_subscriber("4", mail("c"), language="fr"),
            a_subscriber("2", mail("d")),
        ]
        assert await store.enrol(batch, actor="x") == Enrolment(created=2, updated=3)
        people = {one.id: one async for one in store.export()}
        assert {i: [e.address[0] for e in p.endpoints] for i, p in people.items()} == {"1": ["a", "c"], "2": ["b", "d"]}
        assert people["1"].preference.language == "fr"


async def test_one_who_joins_two_strangers_leaves_no_empty_one_behind(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enrol([a_subscriber("1", mail("a")), a_subscriber("2", mail("b"))], actor="x")
        assert await store.enrol([a_subscriber("9", mail("a"), mail("b"))], actor="x") == Enrolment(0, 1)
        assert [(one.id, len(one.endpoints)) async for one in store.export()] == [("1", 2)]


async def test_two_rows_for_one_stored_person_are_both_his(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enrol([a_subscriber("1", mail("a"), mail("b"))], actor="x")
        batch = [a_subscriber("8", mail("a"), mail("c"), language="de"), a_subscriber("9", mail("b"), language="fr")]
        assert await store.enrol(batch, actor="x") == Enrolment(0, 2)
        (one,) = [one async for one in store.export()]
        assert (one.id, one.preference.language, len(one.endpoints)) == ("1", "fr", 3)


async def test_a_confirmed_address_is_not_unconfirmed_by_a_stranger(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enrol([a_subscriber("1", mail("a"))], actor="x")
        await store.enrol([a_subscriber("9", mail("a", EndpointState.UNCONFIRMED))], actor="web")
        assert (await store.get_subscriber("1")).endpoints[0].state is EndpointState.ACTIVE


async def test_enrolling_again_revives_a_gone_endpoint(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enrol([a_subscriber("1", mail("a", EndpointState.GONE))], actor="x")
        await store.enrol([a_subscriber("1", mail("a"))], actor="x")
        assert (await store.get_subscriber("1")).endpoints[0].state is EndpointState.ACTIVE


async def test_no_address_gets_into_the_audit_log(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enrol([a_subscriber("1", mail("secret"))], actor="x")
        person = await store.get_subscriber("1")
        await store.replace(replace(person, endpoints=(mail("secret2"),)), actor="x")
        endpoint = await store.endpoint_id("mail", "secret2@example.org")
        assert endpoint is not None
        assert await store.confirm_endpoint(endpoint, at=NOW)
        assert await store.unsubscribe_endpoint(endpoint)
        entries = await store.audit(after=0, limit=99)
        assert [entry.action for entry in entries] == [
            "subscribers.enrol",
            "subscriber.replace",
            "endpoint.unsubscribe",
        ]
        assert "secret" not in str(entries)


async def test_replace_stores_exactly_this(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enrol([a_subscriber("1", mail("a"), mail("b")), a_subscriber("2", mail("z"))], actor="x")
        old = await store.get_subscriber("1")
        kept = next(endpoint for endpoint in old.endpoints if endpoint.address.startswith("b"))
        exact = replace(
            old,
            endpoints=(replace(kept, state=EndpointState.UNCONFIRMED), mail("c")),
            preference=replace(old.preference, zones=("Q",)),
            updated_at=NOW + SECOND,
        )
        await store.replace(exact, actor="x")
        got = await store.get_subscriber("1")
        assert (got.preference, got.updated_at) == (exact.preference, NOW + SECOND)
        assert {(e.address, e.state) for e in got.endpoints} == {
            ("b@example.org", EndpointState.UNCONFIRMED),
            ("c@example.org", EndpointState.ACTIVE),
        }
        assert kept.id in {endpoint.id for endpoint in got.endpoints}, "an endpoint that stays keeps its number"
        with pytest.raises(Conflict):
            await store.replace(replace(got, endpoints=(mail("z"),)), actor="x")
        assert len((await store.get_subscriber("1")).endpoints) == 2, "a refused change changes nothing"
        with pytest.raises(NotFound):
            await store.replace(a_subscriber("nobody"), actor="x")


async def test_lists_go_on_where_they_stopped(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enrol([a_subscriber(f"s{i}") for i in range(5)], actor="x")
        first, after = await store.list_subscribers(limit=3, after=0)
        assert after is not None
        rest, end = await store.list_subscribers(limit=3, after=after)
        assert [one.id for one in (*first, *rest)] == [f"s{i}" for i in range(5)]
        assert end is None
        assert await store.list_subscribers(limit=3, after=999) == ([], None)
        assert len([one async for one in store.export()]) == 5


async def test_confirming_is_idempotent_and_dated_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enrol([a_subscriber("1", mail("a", EndpointState.UNCONFIRMED))], actor="web")
        endpoint = await store.endpoint_id("mail", "a@example.org")
        assert endpoint is not None
        assert await store.confirm_endpoint(endpoint, at=NOW)
        assert await store.confirm_endpoint(endpoint, at=NOW + HOUR)
        got = await store.get_subscriber("1")
        assert (got.consent.confirmed_at, got.endpoints[0].state) == (NOW, EndpointState.ACTIVE)
        assert not await store.confirm_endpoint(999, at=NOW)


async def test_unsubscribing_the_last_endpoint_forgets_the_person(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enrol([a_subscriber("1", mail("a"), mail("b"))], actor="x")
        ids = [endpoint.id for endpoint in (await store.get_subscriber("1")).endpoints]
        assert await store.unsubscribe_endpoint(ids[0])
        assert not await store.unsubscribe_endpoint(ids[0])
        assert len((await store.get_subscriber("1")).endpoints) == 1
        assert await store.unsubscribe_endpoint(ids[1])
        with pytest.raises(NotFound):
            await store.get_subscriber("1")
        await store.enrol([a_subscriber("2", mail("c"))], actor="x")
        again = (await store.get_subscriber("2")).endpoints[0].id
        assert again not in ids, "an old unsubscribe link must not work on somebody else"
        assert await store.endpoint_id("mail", "a@example.org") is None


async def test_deleting_takes_everything_along(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enrol([a_subscriber("1", mail("a"), mail("b"))], actor="x")
        await store.delete_subscriber("1", actor="x")
        with pytest.raises(NotFound):
            await store.delete_subscriber("1", actor="x")
        assert sql(tmp_path, "SELECT count(*) FROM endpoint") == [(0,)]


async def test_a_removed_address_is_not_left_in_the_file(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await store.enrol([a_subscriber("1", mail("zzsecretzz"))], actor="x")
        await store.delete_subscriber("1", actor="x")
    assert b"zzsecretzz" not in (tmp_path / "alertd.db").read_bytes()
