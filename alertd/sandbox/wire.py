"""How a connection is spoiled, below the protocol."""

import asyncio
import socket
import struct

_LINGER_ZERO = struct.pack("ii", 1, 0)


def reset(transport: asyncio.Transport) -> None:
    """Close with a TCP RST: SO_LINGER 0 throws away what was queued (RFC 9293, 3.10.4 ABORT)."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()


async def drip(transport: asyncio.Transport, data: bytes, seconds: float) -> None:
    """Write one byte every `seconds` until all is written or the other side has gone; when cancelled, the rest at
    once, for what shares the connection must not find half a frame."""
    sent = 0
    try:
        while sent < len(data) and not transport.is_closing():
            transport.write(data[sent : sent + 1])
            sent += 1
            await asyncio.sleep(seconds)
    finally:
        if not transport.is_closing():
            transport.write(data[sent:])


def half(transport: asyncio.Transport, data: bytes) -> None:
    """Write the first half and close in good order."""
    transport.write(data[: len(data) // 2])
    transport.close()
