"""A CAP message forwarded in its own words through the whole house: the message, its Update and its Cancel delivered,
to those of the rule's zones that its shape touches and to nobody else."""

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from alertd.domain.alert import AlertState, MsgType
from tests.integration.replay_stand import Replay, replay, told
from tests.support.clock import START
from tests.unit.test_ingest_desk import SQUARE, document

EVERY = 60.0
INSIDE, OUTSIDE = "048028", "048017"
"""Montelupo Fiorentino, where the shape lies, and Firenze: both the rule's."""

CONFIGURATION = """
[officers]
remind = "1d"
reminders = 0
[sources.regione]
reader = "cap_feed"
url = "{url}/feed"
allow_http = true
every = "1m"
stale_after = "1h"
[[rules]]
name = "inoltro"
template = "forward"
match = {{source = "regione", min_severity = "Moderate"}}
zones = ["048028", "048017"]
{action}
"""
SEND = 'action = "send"\nunattended = true\nhourly_cap = 9'

ALERT = document("a", 0, area=SQUARE)
UPDATE = document("b", 5, kind="Update", severity="Extreme", of=("a", 0), area=SQUARE)
CANCEL = document("c", 9, kind="Cancel", of=("b", 5), bare=True)


async def published(it: Replay, *documents: bytes) -> None:
    """In an Atom feed, each behind a link of its own; then the feed is polled."""
    entries = []
    for number, one in enumerate(documents):
        it.server.document(f"/{number}.xml", one)
        link = f'<link href="{it.server.url}/{number}.xml" type="application/cap+xml"/>'
        entries.append(f"<entry><id>{number}</id><updated>2026-11-21T10:0{number}:00Z</updated>{link}</entry>")
    feed = f'<feed xmlns="http://www.w3.org/2005/Atom"><id>f</id><title>f</title>{"".join(entries)}</feed>'
    it.server.document("/feed", feed.encode(), kind="application/atom+xml")
    await it.polled(EVERY * 5)


@pytest.fixture(params=[SEND, ""], ids=["send", "draft"])
async def it(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Replay]:
    action = request.param
    async with replay(tmp_path, lambda url: CONFIGURATION.format(url=url, action=action), at=START) as houses:
        await houses.it.town.enrol("anna", zones=(INSIDE,))
        await houses.it.town.enrol("bruno", zones=(OUTSIDE,))
        await houses.it.town.enrol("officer", cohort="officers")
        yield houses.it


async def decided(it: Replay) -> None:
    """Every draft is approved; a rule that sends leaves none."""
    await it.approve(*[stored.alert.id for stored in await it.of("inoltro") if stored.state is AlertState.DRAFT])


async def test_a_message_its_update_and_its_cancel_reach_those_whom_its_shape_touches(it: Replay) -> None:
    for documents in ((ALERT,), (ALERT, UPDATE), (ALERT, UPDATE, CANCEL)):
        await published(it, *documents)
        await decided(it)
    alerts = await it.of("inoltro")
    assert told(alerts) == [
        *("Alert: Temporali forti", "Update: Temporali forti"),
        "over: Cessata allerta: Temporali",
    ]
    assert [str(stored.alert.info[0].severity) for stored in alerts] == ["Severe", "Extreme", "Minor"]
    assert {stored.alert.source for stored in alerts} == {"regione@example.it"}
    assert {zone for stored in alerts for info in stored.alert.info for zone in info.zones} == {INSIDE}
    for earlier, later in itertools.pairwise(alerts):
        assert later.alert.msg_type is MsgType.UPDATE
        assert earlier.alert.identifier in [reference.identifier for reference in later.alert.references]
    parcels = [parcel for parcel in it.town.providers["people"].parcels if parcel.address != "officer"]
    assert [parcel.address for parcel in parcels] == ["anna"] * 3
    assert len(it.town.providers["square"].parcels) == 3
    read = it.town.providers["people"].ledger.bodies["anna"].decode()
    assert "Cessata allerta: Temporali" in read
    await it.polled(EVERY * 5)
    assert len(await it.of("inoltro")) == 3


@pytest.mark.parametrize("it", [SEND], indirect=True, ids=["send"])
async def test_a_thread_heard_out_of_order_becomes_one(it: Replay) -> None:
    """The second Update comes before the first, so that nothing yet says that it is about what was told before."""
    second = document("u2", 9, kind="Update", severity="Moderate", of=("b", 5), area=SQUARE)
    third = document("u3", 11, kind="Update", severity="Extreme", of=("u2", 9), area=SQUARE)
    for documents in ((ALERT,), (ALERT, second), (ALERT, second, UPDATE), (ALERT, second, UPDATE, third)):
        await published(it, *documents)
    alerts = await it.of("inoltro")
    assert [str(stored.alert.info[0].severity) for stored in alerts] == ["Severe", "Moderate", "Extreme"]
    assert [str(stored.alert.msg_type) for stored in alerts] == ["Alert", "Alert", "Update"]
    assert [stored.followed_by for stored in alerts] == [alerts[2].alert.id, alerts[2].alert.id, None]
    assert [parcel.address for parcel in it.town.providers["people"].parcels] == ["anna"] * 3


async def test_what_was_cancelled_before_it_was_polled_is_never_told(it: Replay) -> None:
    await published(it, ALERT, UPDATE, CANCEL)
    assert await it.of("inoltro") == []
    assert not [parcel for provider in it.town.providers.values() for parcel in provider.parcels]
