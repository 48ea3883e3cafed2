"""Subscribers in, changed, imported, out; over the verbs and over HTTP."""

import json
from dataclasses import replace

import orjson
import pytest

from alertd.core.citizens.subscribe import BATCH, ERRORS_SHOWN
from alertd.core.citizens.subscriber_form import SubscriberForm, SubscriberPatch, read
from alertd.core.citizens.transfer import read_ndjson
from alertd.domain.alert import Purpose, Severity
from alertd.domain.problems import Conflict, Invalid, NotFound
from alertd.domain.subscriber import Cohort, EndpointState
from tests.support.citizens import PUSH, Hall, chunked, make_hall

ANNA = {
    "language": "IT-it",
    "zones": ["montelupo fiorentino", "048014", "048028"],
    "endpoints": [{"channel": "mail", "address": "anna@EXAMPLE.org"}],
}


def form(**changes: object) -> SubscriberForm:
    return read(SubscriberForm, ANNA | changes)


async def add(hall: Hall, **changes: object):
    return await hall.services.subscribers.add(form(**changes), actor="anna")


async def load(hall: Hall, rows: list[object]):
    text = b"\n".join(orjson.dumps(row) for row in rows)
    return await hall.services.subscribers.load(read_ndjson(chunked(text, 65_536)), actor="anna")


def person(number: int, **changes: object) -> dict[str, object]:
    return ANNA | {"endpoints": [{"channel": "mail", "address": f"c{number}@example.org"}]} | changes


# --- add, change, forget ---


async def test_everything_is_made_canonical() -> None:
    stored = await add(make_hall())
    assert stored.preference.language == "it-IT"
    assert stored.preference.zones == ("048028", "048014")
    assert stored.preference.purposes == {Purpose.EMERGENCY}
    assert stored.preference.min_severity is Severity.MINOR
    assert stored.cohort is Cohort.PUBLIC
    assert [(e.channel, e.address, e.state) for e in stored.endpoints] == [
        ("mail", "anna@example.org", EndpointState.ACTIVE)
    ]
    assert stored.consent.source == "api"
    assert stored.consent.confirmed_at is None


async def test_the_whole_territory_swallows_the_rest() -> None:
    assert (await add(make_hall(), zones=["048028", "*"])).preference.zones == ("*",)


@pytest.mark.parametrize(
    ("changes", "loc", "msg"),
    [
        ({"language": "italiano"}, ("language",), "language tag"),
        ({"language": "it_IT"}, ("language",), "language tag"),
        ({"zones": []}, ("zones",), "at least 1"),
        ({"zones": ["Atlantide"]}, ("zones", 0), "Atlantide"),
        ({"purposes": []}, ("purposes",), "at least 1"),
        ({"purposes": ["gossip"]}, ("purposes", 0), "emergency"),
        ({"min_severity": "Enorme"}, ("min_severity",), "Extreme"),
        ({"cohort": "secret"}, ("cohort",), "exercise"),
        ({"endpoints": []}, ("endpoints",), "at least 1"),
        ({"endpoints": [{"channel": "mail"}]}, ("endpoints", 0), "either address or subscription"),
        ({"endpoints": [{"channel": "push", "address": "x", "subscription": PUSH}]}, ("endpoints", 0), "either"),
        ({"endpoints": [{"channel": "mail", "address": "anna"}]}, ("endpoints", 0), "mail address"),
        (
            {"endpoints": [{"channel": "mail", "address": "a@b.it\r\nBcc: x@y.it"}]},
            ("endpoints", 0, "address"),
            "control",
        ),
        ({"endpoints": [{"channel": "fax", "address": "1"}]}, ("endpoints", 0), "no channel"),
        ({"colour": "red"}, ("colour",), "not permitted"),
    ],
)
async def test_what_is_wrong_is_told_where(changes: dict[str, object], loc: tuple[object, ...], msg: str) -> None:
    hall = make_hall()
    with pytest.raises(Invalid) as caught:
        await add(hall, **changes)
    assert caught.value.problems[0].loc == loc
    assert msg in caught.value.problems[0].msg
    assert not hall.people.held


async def test_an_address_is_subscribed_once() -> None:
    hall = make_hall()
    await add(hall)
    with pytest.raises(Conflict):
        await add(hall, endpoints=[{"channel": "mail", "address": "anna@example.org"}])


async def test_patch_changes_only_what_is_given_and_keeps_endpoint_ids() -> None:
    hall = make_hall()
    before = await add(hall)
    both = [{"channel": "bot", "address": "1"}, {"channel": "mail", "address": "anna@example.org"}]
    change = read(SubscriberPatch, {"zones": ["Empoli"], "endpoints": both})
    after = await hall.services.subscribers.patch(before.id, change, actor="anna")
    assert after.preference == replace(before.preference, zones=("048014",))
    assert {e.channel: e.id for e in after.endpoints}["mail"] == before.endpoints[0].id
    with pytest.raises(NotFound):
        await hall.services.subscribers.patch("nobody", change, actor="anna")


async def test_patch_may_not_take_somebody_elses_address() -> None:
    hall = make_hall()
    await add(hall)
    other = await add(hall, endpoints=[{"channel": "bot", "address": "2"}])
    change = read(SubscriberPatch, {"endpoints": [{"channel": "mail", "address": "anna@example.org"}]})
    with pytest.raises(Conflict):
        await hall.services.subscribers.patch(other.id, change, actor="anna")


# --- import ---


async def test_import_takes_the_good_and_tells_the_bad() -> None:
    hall = make_hall()
    rows = [person(1), person(2, zones=["Atlantide"]), {"nonsense": 1}, person(3), person(1, language="en")]
    loaded = await load(hall, rows)
    assert (loaded.created, loaded.updated, loaded.rejected) == (2, 1, 2)
    assert [error.line for error in loaded.errors] == [2, 3]
    assert "Atlantide" in loaded.errors[0].msg
    assert sorted(s.preference.language for s in hall.people.held.values()) == ["en", "it-IT"]


async def test_import_works_in_batches_and_again() -> None:
    hall = make_hall()
    rows: list[object] = [person(n) for n in range(2 * BATCH + 1)]
    first = await load(hall, rows)
    assert (first.created, hall.people.transactions) == (2 * BATCH + 1, 3)
    again = await load(hall, rows[:10])
    assert (again.created, again.updated) == (0, 10)


async def test_errors_are_capped_and_counted_honestly() -> None:
    loaded = await load(make_hall(), [[]] * (ERRORS_SHOWN + 7))
    assert (loaded.rejected, len(loaded.errors)) == (ERRORS_SHOWN + 7, ERRORS_SHOWN)


async def test_import_keeps_state_id_and_consent() -> None:
    hall = make_hall()
    endpoint = {"channel": "mail", "address": "x@example.org", "state": "gone"}
    consent = {"source": "registry", "given_at": "2020-01-02T03:04:05+01:00"}
    await load(hall, [person(1, id="abc", endpoints=[endpoint], consent=consent)])
    stored = hall.people.held["abc"]
    assert stored.endpoints[0].state is EndpointState.GONE
    assert (stored.consent.source, stored.consent.given_at.year) == ("registry", 2020)


# --- HTTP ---


async def test_create_read_change_forget() -> None:
    hall = make_hall()
    async with hall.client(authorization="Bearer both") as client:
        made = await client.post(
            "/v1/subscribers", json=ANNA | {"endpoints": [{"channel": "push", "subscription": PUSH}]}
        )
        assert made.status_code == 201
        where = made.headers["location"]
        assert made.json()["endpoints"][0]["subscription"]["endpoint"] == PUSH["endpoint"]
        assert (await client.get(where)).json() == made.json()
        patched = await client.patch(where, json={"purposes": ["event"]})
        assert patched.json()["purposes"] == ["event"]
        assert (await client.delete(where)).status_code == 204
        gone = await client.get(where)
        assert gone.status_code == 404
        assert gone.headers["content-type"] == "application/problem+json"


async def test_scopes_and_masks() -> None:
    hall = make_hall()
    async with hall.client(authorization="Bearer writer") as client:
        made = (await client.post("/v1/subscribers", json=ANNA)).json()
        assert made["endpoints"][0]["address"] == "a…@example.org"
        assert (await client.get(f"/v1/subscribers/{made['id']}")).status_code == 403
        assert (await client.get("/v1/subscribers/export")).status_code == 403
    async with hall.client(authorization="Bearer reader") as client:
        page = (await client.get("/v1/subscribers")).json()
        assert page["items"][0]["endpoints"][0]["address"] == "anna@example.org"
        assert page["next"] is None
        assert (await client.post("/v1/subscribers", json=ANNA)).status_code == 403
        assert (await client.post("/v1/subscribers/import", content=b"")).status_code == 403
    async with hall.client() as client:
        assert (await client.get("/v1/subscribers")).status_code == 401


async def test_lists_page() -> None:
    hall = make_hall()
    await load(hall, [person(n) for n in range(5)])
    seen: list[str] = []
    async with hall.client(authorization="Bearer reader") as client:
        cursor = ""
        while cursor is not None:
            page = (
                await client.get("/v1/subscribers", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
            ).json()
            seen += [item["id"] for item in page["items"]]
            cursor = page["next"]
        assert (await client.get("/v1/subscribers?cursor=nonsense")).status_code == 422
    assert len(set(seen)) == 5


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 422),
        (b"", "application/json", 422),
        (b"[]", "application/json", 422),
        (b'{"language":"\\ud800"}', "application/json", 422),
        (b"a=b", "application/x-www-form-urlencoded", 415),
    ],
)
async def test_bad_bodies_are_one_clear_error(content: bytes, kind: str, status: int) -> None:
    hall = make_hall()
    async with hall.client(authorization="Bearer both") as client:
        answer = await client.post("/v1/subscribers", content=content, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.json()["status"] == status
    assert not hall.people.held


async def test_import_and_export_over_http_round_trip() -> None:
    first, second = make_hall(), make_hall()
    rows = [
        person(1, endpoints=[{"channel": "mail", "address": "=1@example.org"}, {"channel": "bot", "address": "-100"}]),
        person(2, endpoints=[{"channel": "push", "subscription": PUSH}], zones=["*"], cohort="exercise"),
    ]
    text = "\n".join(map(json.dumps, rows))
    for kind, name in (("application/x-ndjson", "ndjson"), ("text/csv", "csv")):
        async with first.client(authorization="Bearer both") as client:
            loaded = await client.post(
                "/v1/subscribers/import", content=text, headers={"Content-Type": "application/x-ndjson"}
            )
            assert loaded.json()["rejected"] == 0
            out = await client.get(f"/v1/subscribers/export?format={name}")
            assert out.headers["content-type"].startswith(kind)
        async with second.client(authorization="Bearer both") as client:
            back = await client.post(
                "/v1/subscribers/import", content=out.content, headers={"Content-Type": f"{kind}; charset=utf-8"}
            )
            assert back.json() == {"created": 2, "updated": 0, "rejected": 0, "errors": []}
            assert (await client.get(f"/v1/subscribers/export?format={name}")).content == out.content
        second = make_hall()


async def test_import_of_another_type_is_refused() -> None:
    async with make_hall().client(authorization="Bearer both") as client:
        answer = await client.post("/v1/subscribers/import", content=b"x", headers={"Content-Type": "application/zip"})
        assert answer.status_code == 415
        lines = b"language,zones,channel,address\nit,Empoli,mail,a@example.org\nit,Empoli,mail,nobody\n"
        good = await client.post("/v1/subscribers/import", content=lines, headers={"Content-Type": "text/csv"})
        assert good.json() == {
            "created": 1,
            "updated": 0,
            "rejected": 1,
            "errors": [{"line": 3, "msg": "endpoints.0: not a mail address"}],
        }


# --- officers ---


async def test_an_officer_who_would_never_be_paged_is_refused() -> None:
    hall = make_hall()
    with pytest.raises(Invalid, match="must include 'emergency'"):
        form(cohort="officers", purposes=["service"])
    officer = await add(hall, cohort="officers")
    with pytest.raises(Invalid, match="must include 'emergency'"):
        await hall.services.subscribers.patch(officer.id, read(SubscriberPatch, {"purposes": ["event"]}), actor="anna")
    citizen = await hall.services.subscribers.add(read(SubscriberForm, person(7, purposes=["event"])), actor="anna")
    with pytest.raises(Invalid, match="must include 'emergency'"):
        await hall.services.subscribers.patch(citizen.id, read(SubscriberPatch, {"cohort": "officers"}), actor="anna")


async def test_neither_a_list_nor_a_form_makes_a_citizen_of_an_officer() -> None:
    hall = make_hall()
    officer = await add(hall, cohort="officers")
    loaded = await load(hall, [person(1), {**ANNA, "zones": ["048028"]}, person(2)])
    assert (loaded.created, loaded.updated, loaded.rejected) == (2, 0, 1)
    assert [error.line for error in loaded.errors] == [2]
    assert "an officer is paged at this address on mail" in loaded.errors[0].msg
    with pytest.raises(Invalid, match="an officer is paged"):
        await hall.services.subscribers.enrol(form(), source="web")
    assert hall.people.held[officer.id] == officer
    again = await load(hall, [{**ANNA, "cohort": "officers"}])
    assert (again.updated, again.rejected) == (1, 0)
    change = read(SubscriberPatch, {"cohort": "public"})
    assert (await hall.services.subscribers.patch(officer.id, change, actor="anna")).cohort is Cohort.PUBLIC


async def test_an_officer_is_exported_and_imported_as_one() -> None:
    first, second = make_hall(), make_hall()
    async with first.client(authorization="Bearer both") as client:
        assert (await client.post("/v1/subscribers", json={**ANNA, "cohort": "officers"})).status_code == 201
        out = await client.get("/v1/subscribers/export?format=csv")
    async with second.client(authorization="Bearer both") as client:
        headers = {"Content-Type": "text/csv"}
        answer = await client.post("/v1/subscribers/import", content=out.content, headers=headers)
    assert answer.json()["created"] == 1
    assert [s.cohort for s in second.people.held.values()] == [Cohort.OFFICERS]
