"""The HTTP/2 front of the push service, spoken to by the `h2` library's client side."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h2.events
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.settings import SettingCodes
from hpack import Decoder, Encoder, HPACKError
from hypothesis import given
from hypothesis import strategies as st

from alertd.sandbox.exchange import MAX_BODY
from alertd.sandbox.faults import Fault, Faults, Kind
from alertd.sandbox.http2_fields import QuickDecoder
from alertd.sandbox.http2_state import STREAMS
from alertd.sandbox.push import PushService
from alertd.sandbox.tls import make_tls
from tests.unit.test_sandbox_push import HEADERS, SEED, Sender, seal

GOODBYE = 5.0  # seconds within which what must happen does


@dataclass
class Answer:
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    reset: int | None = None


@dataclass
class Client:
    """`lost` is how the connection ended: "" while it is up, "closed" or "reset"."""

    service: PushService
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    http: H2Connection
    answers: dict[int, Answer] = field(default_factory=dict)
    raw: bytes = b""
    lost: str = ""
    goaway: int | None = None

    async def push(self, to: int = 3, text: bytes = b"{}", *, body: bytes | None = None, **changes: str) -> int:
        """Send one; the number of its stream."""
        subscription = next(self.service.subscriptions(1, to))
        signed = Sender(self.service, None).authorization()  # type: ignore[arg-type]
        sent = {name.lower(): value for name, value in {**HEADERS, **signed}.items()}
        sealed = seal(subscription, text) if body is None else body
        return await self.send({":path": f"/push/{to}", **sent, **changes}, sealed)

    async def send(self, fields: Mapping[str, str], body: bytes = b"") -> int:
        stream = self.http.get_next_available_stream_id()
        self.answers[stream] = Answer()
        pseudo = {":method": "POST", ":scheme": "https", ":authority": self.service.authority}
        self.http.send_headers(stream, [*(pseudo | dict(fields)).items()], end_stream=not body)
        while body:
            part = body[: min(self.http.local_flow_control_window(stream), 16_384)]
            body = body[len(part) :]
            self.http.send_data(stream, part, end_stream=not body)
        await self.flush()
        return stream

    async def flush(self) -> None:
        self.writer.write(self.http.data_to_send())
        await self.writer.drain()

    async def answer(self, stream: int) -> Answer:
        await self.until(lambda: self.answers[stream].ended)
        return self.answers[stream]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Read until so; AssertionError where the connection ends before."""
        async with asyncio.timeout(GOODBYE):
            while not condition():
                assert not self.lost, self.lost
                await self.read()

    async def end(self) -> str:
        async with asyncio.timeout(GOODBYE):
            while not self.lost:
                await self.read()
        return self.lost

    async def read(self) -> None:
        try:
            data = await self.reader.read(65_536)
        except ConnectionError:
            self.lost = "reset"
            return
        if not data:
            self.lost = "closed"
        self.raw += data
        for event in self.http.receive_data(data):
            self.note(event)
        await self.flush()

    def note(self, event: Any) -> None:
        match event:
            case h2.events.ResponseReceived():
                fields = dict(event.headers)
                answer = self.answers[event.stream_id]
                answer.status, answer.headers = int(fields[":status"]), fields
            case h2.events.DataReceived():
                self.answers[event.stream_id].body += event.data
            case h2.events.StreamEnded():
                self.answers[event.stream_id].ended = True
            case h2.events.StreamReset():
                self.answers[event.stream_id].reset = event.error_code
            case h2.events.ConnectionTerminated():
                self.goaway = event.error_code


@dataclass
class Place:
    service: PushService
    trust: ssl.SSLContext

    @asynccontextmanager
    async def client(self, *, window: int = 65_535) -> AsyncIterator[Client]:
        self.trust.set_alpn_protocols(["h2"])
        reader, writer = await asyncio.open_connection("127.0.0.1", self.service.port, ssl=self.trust)
        lax = {"validate_outbound_headers": False, "normalize_outbound_headers": False}
        http = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8", **lax))
        http.local_settings.update({SettingCodes.INITIAL_WINDOW_SIZE: window})
        http.local_settings.acknowledge()
        http.initiate_connection()
        client = Client(self.service, reader, writer, http)
        await client.flush()
        await client.until(lambda: http.remote_settings.max_concurrent_streams == STREAMS)
        try:
            yield client
        finally:
            writer.transport.abort()


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    tls = make_tls(tmp_path)
    trust = ssl.create_default_context(cafile=str(tls.ca_file))
    async with PushService("127.0.0.1", 0, tls.server(), seed=SEED) as service:
        yield Place(service, trust)


@pytest.fixture
async def client(place: Place) -> AsyncIterator[Client]:
    async with place.client() as opened:
        yield opened


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(GOODBYE):
        while not condition():
            await asyncio.sleep(0.005)


# --- ordinary ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("http2", "offered", "chosen"),
    [
        (True, ["h2", "http/1.1"], "h2"),
        (True, ["http/1.1"], "http/1.1"),
        (True, [], None),
        (False, ["h2", "http/1.1"], "http/1.1"),
    ],
)
async def test_which_protocol_is_spoken(tmp_path: Path, http2: bool, offered: list[str], chosen: str | None) -> None:
    tls = make_tls(tmp_path)
    trust = ssl.create_default_context(cafile=str(tls.ca_file))
    if offered:
        trust.set_alpn_protocols(offered)
    async with PushService("127.0.0.1", 0, tls.server(), seed=SEED, http2=http2) as service:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port, ssl=trust)
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == chosen
        if chosen == "h2":
            assert (await reader.readexactly(9))[3] == 4  # SETTINGS comes first
        else:
            writer.write(b"POST /elsewhere HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
            assert await reader.readline() == b"HTTP/1.1 404 Not Found\r\n"
        writer.close()
        await writer.wait_closed()


async def test_a_good_message(client: Client) -> None:
    answer = await client.answer(await client.push(text=b'{"title":"ESERCITAZIONE"}'))
    assert (answer.status, answer.headers["ttl"], answer.body) == (201, "60", b"")
    assert answer.headers["location"].startswith(client.service.origin)
    assert client.service.read("3") == {"title": "ESERCITAZIONE"}
    assert client.service.stats()["over_h2"] == 1
    assert client.service.connections == 1


async def test_as_many_at_once_as_are_allowed(client: Client) -> None:
    client.service.faults = Faults((Fault(Kind.HANG, recipients=frozenset({"0"})),))
    streams = [await client.push(to) for to in range(STREAMS)]
    await client.until(lambda: sum(answer.status == 201 for answer in client.answers.values()) == STREAMS - 1)
    assert client.answers[streams[0]] == Answer()
    assert client.service.connections == 1
    assert client.service.ledger.counts == {str(to): 1 for to in range(1, STREAMS)}


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (400, {"ttl": "soon"}),
        (401, {"authorization": "Bearer x"}),
        (404, {":path": "/"}),
        (404, {":path": "/push/10000000"}),
        (405, {":method": "GET"}),
    ],
)
async def test_what_is_refused(client: Client, status: int, fields: dict[str, str]) -> None:
    assert (await client.answer(await client.push(**fields))).status == status
    assert client.service.ledger.messages == 0


async def test_a_path_with_a_query(client: Client) -> None:
    assert (await client.answer(await client.push(**{":path": "/push/3?x=1"}))).status == 201


async def test_a_body_without_end(client: Client) -> None:
    await client.until(lambda: client.http.outbound_flow_control_window > MAX_BODY)
    stream = await client.push(body=b"x" * (MAX_BODY + 1))
    await client.until(lambda: client.answers[stream].status == 413)
    assert (await client.answer(await client.push())).status == 201


async def test_a_body_waits_for_its_window(place: Place) -> None:
    place.service.faults = Faults((Fault(Kind.STATUS, status=503, text="come back later"),))
    async with place.client(window=4) as client:
        stream = await client.push()
        await client.until(lambda: client.answers[stream].body == b"come")
        client.http.increment_flow_control_window(5, stream)
        await client.flush()
        await client.until(lambda: client.answers[stream].body == b"come back")
        client.http.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 100})
        await client.flush()
        assert (await client.answer(stream)).body == b"come back later"


# --- what is not HTTP/2 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"Upper": "x"},
        {"connection": "close"},
        {"te": "gzip"},
        {"x": "a\nb"},
        {":path": ""},
        {":path": "/push/\n3"},
        {"x": "a", ":late": "b"},
    ],
)
async def test_malformed_fields_break_the_stream_alone(client: Client, fields: dict[str, str]) -> None:
    for _ in range(2):
        stream = await client.push(**fields)
        await client.until(lambda stream=stream: client.answers[stream].reset is not None)
        assert client.answers[stream].reset == 1  # PROTOCOL_ERROR
        assert (await client.answer(await client.push())).status == 201
    assert client.service.ledger.messages == 2


async def test_a_broken_frame_ends_the_connection(client: Client) -> None:
    client.writer.write(b"\0\0\x01\x06\0\0\0\0\0x")  # a PING of one octet
    assert await client.end() == "closed"
    assert client.goaway == 6  # FRAME_SIZE_ERROR


async def test_more_streams_than_allowed_end_the_connection(client: Client) -> None:
    client.service.faults = Faults((Fault(Kind.HANG),))
    client.http.remote_settings[SettingCodes.MAX_CONCURRENT_STREAMS] = STREAMS + 1
    client.http.remote_settings.acknowledge()
    for _ in range(STREAMS + 1):
        await client.push()
    await client.end()
    await until(lambda: client.service.connections == 0)


@st.composite
def _blocks(draw: st.DrawFn) -> list[bytes]:
    """Blocks one encoder made one after another, some of them spoiled."""
    names = st.sampled_from([b":path", b":method", b"ttl", b"topic", b"x"])
    fields = st.lists(st.tuples(names, st.binary(max_size=12), st.booleans()), max_size=8)
    encoder, blocks = Encoder(), []
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            encoder.header_table_size = draw(st.integers(0, 4096))
        block = encoder.encode(draw(fields), huffman=draw(st.booleans()))
        blocks.append(draw(st.sampled_from([block, block[:-1], block + b"\x20", block + b"\xff\x03"])))
    return blocks


@given(_blocks())
def test_the_short_cut_reads_what_hpack_reads(blocks: list[bytes]) -> None:
    quick, slow = QuickDecoder(), Decoder()
    for block in blocks:
        try:
            expected = slow.decode(block, raw=True)
        except HPACKError as error:
            with pytest.raises(type(error)):
                quick.decode(block, raw=True)
            return
        assert quick.decode(block, raw=True) == expected


# --- faults -----------------------------------------------------------------------------------------------------


async def test_a_wait_is_announced(client: Client) -> None:
    client.service.faults = Faults((Fault(Kind.STATUS, status=429, retry_after=30, first=1),))
    answer = await client.answer(await client.push())
    assert (answer.status, answer.headers["retry-after"]) == (429, "30")
    assert (await client.answer(await client.push())).status == 201
    assert [early.recipient for early in client.service.ledger.inside_retry_after(grace=0)] == ["3"]


async def test_gone(client: Client) -> None:
    client.service.faults = Faults(gone=frozenset({"3"}))
    assert (await client.answer(await client.push())).status == 410
    assert (await client.answer(await client.push(4))).status == 201


async def test_a_stream_that_hangs_ends_with_its_client(client: Client) -> None:
    client.service.faults = Faults((Fault(Kind.HANG, first=2),))
    before = asyncio.all_tasks()
    first, second = await client.push(), await client.push()
    assert (await client.answer(await client.push())).status == 201
    assert len(asyncio.all_tasks() - before) == 2
    client.http.reset_stream(first)
    await client.flush()
    await until(lambda: len(asyncio.all_tasks() - before) == 1)
    client.writer.transport.abort()
    await until(lambda: not asyncio.all_tasks() - before)
    assert client.answers[second] == Answer()


@pytest.mark.parametrize("taken", [False, True])
async def test_reset_takes_all_with_it(client: Client, taken: bool) -> None:
    client.service.faults = Faults((Fault(Kind.HANG, first=1), Fault(Kind.RESET, taken=taken)))
    hanging, struck = await client.push(), await client.push(4)
    assert await client.end() == "reset"
    assert client.answers[hanging] == client.answers[struck] == Answer()
    assert client.service.ledger.messages == taken
    await until(lambda: client.service.connections == 0)


@pytest.mark.parametrize("taken", [False, True])
async def test_a_broken_stream_takes_nothing_with_it(client: Client, taken: bool) -> None:
    client.service.faults = Faults((Fault(Kind.STREAM, taken=taken, recipients=frozenset({"3"})),))
    struck, whole = await client.push(), await client.push(4)
    assert (await client.answer(whole)).status == 201
    await client.until(lambda: client.answers[struck].reset == 2)  # INTERNAL_ERROR
    assert client.service.ledger.counts == ({"3": 1} if taken else {}) | {"4": 1}


async def test_half_an_answer(client: Client) -> None:
    client.service.faults = Faults((Fault(Kind.HALF),))
    before = len(client.raw)
    stream = await client.push()
    assert await client.end() == "closed"
    assert client.answers[stream] == Answer()
    last = frames(client.raw[before:])[-1]
    assert (last.kind, last.flags, last.stream) == (1, 0, stream)  # HEADERS, no END_HEADERS
    assert last.payload
    assert client.service.ledger.messages == 1


async def test_a_drip_slows_the_connection_and_ends(place: Place) -> None:
    place.service.faults = Faults((Fault(Kind.DRIP, seconds=0.001, recipients=frozenset({"3"})),))
    async with place.client() as client:
        dripping, other = await client.push(), await client.push(3)
        await client.until(lambda: 0 < len(client.http.incoming_buffer._data) < 9)  # not even a frame's head
        after = await client.push(4)
        for stream in (dripping, other, after):
            assert (await client.answer(stream)).status == 201
        assert client.service.connections == 1


async def test_a_drip_that_is_given_up_leaves_the_connection_whole(client: Client) -> None:
    client.service.faults = Faults((Fault(Kind.DRIP, seconds=3600, first=1),))
    stream = await client.push()
    await client.until(lambda: len(client.http.incoming_buffer._data) > 0)
    client.http.reset_stream(stream)
    await client.flush()
    assert (await client.answer(await client.push())).status == 201


async def test_the_service_says_goodbye(tmp_path: Path) -> None:
    tls = make_tls(tmp_path)
    place = Place(
        PushService("127.0.0.1", 0, tls.server(), seed=SEED), ssl.create_default_context(cafile=str(tls.ca_file))
    )
    async with place.service:
        place.service.faults = Faults((Fault(Kind.HANG),))
        connection = place.client()
        client = await connection.__aenter__()
        await client.push()
        await until(lambda: place.service.ledger.requests == 1)
    assert await client.end() == "closed"
    assert client.goaway == 0
    await connection.__aexit__(None, None, None)


@dataclass
class Frame:
    kind: int
    flags: int
    stream: int
    payload: bytes


def frames(data: bytes) -> list[Frame]:
    found = []
    while data:
        end = 9 + int.from_bytes(data[:3])
        found.append(Frame(data[3], data[4], int.from_bytes(data[5:9]), data[9:end]))
        data = data[end:]
    return found
