"""The HTTP/2 front (RFC 9113), on the `h2` library: many requests at once on a connection, each in its own task."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    RemoteSettingsChanged,
    RequestReceived,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError

from alertd.sandbox import wire
from alertd.sandbox.exchange import MAX_BODY, Handler, Request, Response
from alertd.sandbox.http2_fields import KnownFields
from alertd.sandbox.http2_state import fields_of, half_of, new_state

_WINDOW = 1 << 24  # octets of all streams of a connection that need no WINDOW_UPDATE


@dataclass(slots=True)
class _Incoming:
    path: str
    headers: Mapping[str, str]
    body: bytearray = field(default_factory=bytearray)


class Http2Connection(asyncio.Protocol):
    """Stands in `live` while it is up. A client that leaves, or resets a stream, ends the handlers it left."""

    def __init__(self, handler: Handler, live: "set[Http2Connection]") -> None:
        self._handler = handler
        self._live = live
        self._loop = asyncio.get_running_loop()
        self._http = new_state()
        self._fields = KnownFields()
        self._incoming: dict[int, _Incoming] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._unsent: dict[int, bytes] = {}
        self._received = 0
        self._flushing = False
        self._dripping = False
        self._one_drip = asyncio.Lock()
        self._react: dict[type[Event], Callable[[Any], None]] = {
            RequestReceived: self._begin,
            DataReceived: self._more,
            StreamEnded: self._whole,
            StreamReset: self._forget,
            WindowUpdated: self._resume,
            RemoteSettingsChanged: self._resume,
            ConnectionTerminated: self._left,
        }

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._live.add(self)
        self._http.initiate_connection()
        self._http.increment_flow_control_window(_WINDOW)
        self._flush()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._live.discard(self)
        self._cancel()

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        try:
            events = self._http.receive_data(data)
        except ProtocolError:  # h2's GOAWAY waits to be sent
            self._flush()
            self.transport.close()
            return
        for event in events:
            react = self._react.get(type(event))
            if react is not None:
                react(event)
        self._flush()

    def close(self) -> None:
        """End in good order: a GOAWAY, and no answer to what is under way."""
        self._cancel()
        if not self.transport.is_closing():
            self._http.close_connection()
            self._flush()
            self.transport.close()

    # --- in -------------------------------------------------------------------------------------------------

    def _begin(self, event: RequestReceived) -> None:
        try:
            path, headers = self._fields.read(event.headers)
        except ProtocolError:  # malformed: an error of the stream (RFC 9113, 8.1.1)
            self._http.reset_stream(event.stream_id, ErrorCodes.PROTOCOL_ERROR)
        else:
            self._incoming[event.stream_id] = _Incoming(path, headers)

    def _more(self, event: DataReceived) -> None:
        self._received += event.flow_controlled_length
        if self._received > _WINDOW // 2:
            self._http.increment_flow_control_window(self._received)
            self._received = 0
        incoming = self._incoming.get(event.stream_id)
        if incoming is None:
            return
        incoming.body += event.data
        if len(incoming.body) > MAX_BODY:
            del self._incoming[event.stream_id]
            self.send(event.stream_id, Response(413))
            if event.stream_ended is None:
                self._http.reset_stream(event.stream_id, ErrorCodes.NO_ERROR)  # RFC 9113, 8.1: read no further

    def _whole(self, event: StreamEnded) -> None:
        incoming = self._incoming.pop(event.stream_id, None)
        if incoming is None:
            return
        line, method = Http2Line(self, event.stream_id), incoming.headers[":method"]
        request = Request("h2", method, incoming.path, incoming.headers, bytes(incoming.body), line)
        self._tasks[event.stream_id] = self._loop.create_task(self._answer(event.stream_id, request))

    async def _answer(self, stream: int, request: Request) -> None:
        try:
            response = await self._handler(request)
        except Exception:
            self.send(stream, Response(500))
            raise
        finally:
            self._tasks.pop(stream, None)
        if response is not None:
            self.send(stream, response)

    def _forget(self, event: StreamReset) -> None:
        self._incoming.pop(event.stream_id, None)
        self._unsent.pop(event.stream_id, None)
        task = self._tasks.pop(event.stream_id, None)
        if task is not None:
            task.cancel()

    def _left(self, _event: ConnectionTerminated) -> None:
        self.transport.close()  # `h2` sends nothing after a GOAWAY was received

    def _cancel(self) -> None:
        for task in list(self._tasks.values()):
            task.cancel()

    # --- out ------------------------------------------------------------------------------------------------

    def send(self, stream: int, response: Response) -> None:
        """Queue the answer; all that one turn of the event loop answers leaves in one write."""
        if self.transport.is_closing():
            return
        self._http.send_headers(stream, fields_of(response), end_stream=not response.body)
        if response.body:
            self._unsent[stream] = response.body
            self._push(stream)
        self._flush_soon()

    def abort(self, stream: int) -> None:
        """RST_STREAM."""
        if not self.transport.is_closing():
            self._http.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
            self._flush_soon()

    def half(self, stream: int, response: Response) -> None:
        """The beginning, then the connection closes."""
        self._flush()
        if not self._dripping:
            self.transport.write(half_of(self._http, stream, response))
        self.transport.close()

    async def drip(self, stream: int, response: Response, seconds: float) -> None:
        """HEADERS byte by byte, then the rest. Frames cannot interleave, so the whole connection is slow meanwhile,
        one drip after another, unless the client resets the stream."""
        async with self._one_drip:
            self._flush()
            self._http.send_headers(stream, fields_of(response))
            self._dripping = True
            try:
                await wire.drip(self.transport, self._http.data_to_send(), seconds)
            finally:
                self._dripping = False
                self._flush_soon()
            if response.body:
                self._unsent[stream] = response.body
                self._push(stream)
            else:
                self._http.end_stream(stream)

    def _resume(self, event: WindowUpdated | RemoteSettingsChanged) -> None:
        one = event.stream_id if isinstance(event, WindowUpdated) else 0
        for stream in [one] if one else list(self._unsent):
            self._push(stream)

    def _push(self, stream: int) -> None:
        """Send what both flow-control windows allow of a body."""
        body = self._unsent.pop(stream, b"")
        while body:
            room = min(self._http.local_flow_control_window(stream), self._http.max_outbound_frame_size)
            if room <= 0:
                self._unsent[stream] = body
                return
            self._http.send_data(stream, body[:room], end_stream=len(body) <= room)
            body = body[room:]

    def _flush_soon(self) -> None:
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if not self._dripping and not self.transport.is_closing():
            data = self._http.data_to_send()
            if data:
                self.transport.write(data)


@dataclass(frozen=True, slots=True)
class Http2Line:
    """One stream of a connection; its task ends with its client, so that it never finds it gone."""

    connection: Http2Connection
    stream: int

    @property
    def gone(self) -> bool:
        return self.connection.transport.is_closing()

    def reset(self) -> None:
        wire.reset(self.connection.transport)

    def abort(self) -> None:
        self.connection.abort(self.stream)

    def half(self, response: Response) -> None:
        self.connection.half(self.stream, response)

    async def drip(self, response: Response, seconds: float) -> None:
        await self.connection.drip(self.stream, response, seconds)
