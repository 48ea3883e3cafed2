"""The server's end of a TLS connection over memory BIOs, so that a test may hang up at any point and in any way."""

import asyncio
import contextlib
import ssl


class TlsWire(asyncio.BufferedProtocol):
    """Subclasses get `secured(alpn)`, `received(plain)` and `lost()`; they call `send`, `hang_up` and the like.

    `grain` is the most octets taken from the socket in one read; with `pause` and `resume` it makes a slow reader.
    """

    def __init__(self, tls: ssl.SSLContext, grain: int = 65_536) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = tls.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._buffer = bytearray(grain)
        self._shaken = False
        self._deaf = False
        self.gone = False
        self.transport: asyncio.Transport

    def secured(self, alpn: str | None) -> None:
        """The handshake is done."""

    def received(self, plain: bytes) -> None:
        """Octets of the application came."""

    def lost(self) -> None:
        """The connection is over."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        self._incoming.write(self._buffer[:nbytes])
        if not self._deaf:
            self._step()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True
        self.lost()

    def send(self, plain: bytes) -> None:
        """Encrypt and write; nothing where the connection is over or its writing side closed."""
        if self.gone or self._deaf or self.transport.is_closing() or not plain:
            return
        self._tls.write(plain)
        self._flush()

    def half_close(self, *, notify: bool) -> None:
        """Close the writing side, with TLS's close_notify before it or bluntly. What still comes is read and dropped."""
        if self.gone or self.transport.is_closing():
            return
        if notify:
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()
            self._flush()
        self._deaf = True
        self.transport.write_eof()

    def deafen(self) -> None:
        """Keep the connection and take no notice of it any more."""
        self._deaf = True

    def hang_up(self) -> None:
        """Close properly: close_notify, then both sides."""
        if not self.gone:
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()
            self._flush()
            self.transport.close()

    def abort(self) -> None:
        """A TCP reset, or as near to it as the loop comes."""
        if not self.gone:
            self.transport.abort()

    def pause(self) -> None:
        if not self.gone and not self.transport.is_closing():
            self.transport.pause_reading()

    def resume(self) -> None:
        if not self.gone and not self.transport.is_closing():
            self.transport.resume_reading()

    def _step(self) -> None:
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
                self._flush()
                self.secured(self._tls.selected_alpn_protocol())
            while not self._deaf and (plain := self._tls.read(65_536)):
                self.received(plain)
            self._flush()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError:  # the client hung up, or refuses our certificate
            self._flush()
            self.transport.close()

    def _flush(self) -> None:
        if (sealed := self._outgoing.read()) and not self.gone and not self.transport.is_closing():
            self.transport.write(sealed)
