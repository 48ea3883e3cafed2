"""A national feed signed by its authority, polled over real HTTP: its word acts alone, a forgery in it does not."""

from dataclasses import replace
from datetime import timedelta

import structlog

from alertd.ingest.fetch import session
from alertd.ingest.hearing import Hearing
from alertd.ingest.kinds import options_of
from alertd.ingest.polling import Poller
from alertd.ingest.pulse import Pulse
from alertd.ingest.source import Polled, SourceSpec
from tests.support.cap_signers import Signer, elliptic
from tests.support.clock import START
from tests.support.desk_stand import DeskStand, territory
from tests.support.feed_server import FeedServer, feed_server
from tests.unit.rules_stand import rule
from tests.unit.test_ingest_desk import document


def index(server: FeedServer, *names: str) -> bytes:
    entries = "".join(
        f"<entry><id>{name}</id><updated>2026-11-21T10:0{i}:00Z</updated><title>t</title>"
        f'<link href="{server.url}/{name}.xml" type="application/cap+xml"/></entry>'
        for i, name in enumerate(names)
    )
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><id>f</id><title>f</title>{entries}</feed>'.encode()


def source(url: str, authority: Signer) -> SourceSpec:
    way = Polled(url=url, allow_http=True, timeout=timedelta(seconds=30), max_bytes=1 << 20)
    plain = SourceSpec("regione", "cap_feed", options_of("cap_feed").model_validate({}), way, 300.0)
    return replace(plain, trust=authority.trust(required=True))


async def test_of_a_signed_feed_only_what_is_signed_acts_alone() -> None:
    root = elliptic("Autorità", ca=True, at=START)
    office = elliptic("Centro", authority=root, at=START)
    stand = DeskStand(
        rule(match={"source": "regione"}, template="forward", action="send", unattended=True, hourly_cap=9)
    )
    await stand.start()
    async with feed_server() as server:
        genuine, forged = (
            office.sign(document("a", 0)),
            office.sign(document("b", 1)).replace(b"Temporali", b"Tempo bello"),
        )
        cancel = document("c", 2, kind="Cancel", of=("a", 0), bare=True)
        for name, data in (("a", genuine), ("b", forged), ("c", cancel)):
            server.document(f"/{name}.xml", data)
        server.document("/feed", index(server, "a", "b", "c"), kind="application/atom+xml")
        spec = source(f"{server.url}/feed", root)
        pulse = Pulse(spec, stand.clock, stand.gauges, structlog.get_logger())
        assert isinstance(spec.way, Polled)
        poller = Poller(Hearing(spec, territory), spec.way, pulse, stand.desk.take, stand.clock, lambda: 0.0)
        async with session(None) as opened:
            await poller.poll(opened)
            await poller.poll(opened)
    assert sorted((kind, unattended) for kind, _, _, unattended in stand.core.steps) == [
        ("raise", False),
        ("raise", True),
    ]
    assert pulse.status().ready
