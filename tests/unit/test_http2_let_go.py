"""What a connection of the web push sender keeps: nothing of what was answered, and nothing once it is lost.

Reference counts alone must do it: the daemon lets the garbage collector look seldom, and a request leads to its whole
page.
"""

import gc
import weakref
from collections import deque
from collections.abc import Iterator

import pytest

from adapters.exchange import Failure, Reply
from adapters.webpush.http2 import Answers, Connection, Profile, Request, frames
from adapters.webpush.http2.frames import Code, frame

PROFILE = Profile(((b"ttl", b"60"),))
CREATED = b"\x08\x03201"
END = frames.END_STREAM | frames.END_HEADERS


@pytest.fixture(autouse=True)
def no_collector() -> Iterator[None]:
    gc.disable()
    yield
    gc.enable()


class Page:
    """Stands for all that a request leads to."""

    def answered(self, ref: int, outcome: Reply | Failure) -> None:
        raise AssertionError("the state machine answers nobody")


def started() -> tuple[Connection, "weakref.ref[Page]"]:
    """A connection with one request on its way."""
    connection, page = Connection(b"push.example", Answers()), Page()
    connection.receive(frames.settings({}))
    connection.start(deque([Request(b"/1", PROFILE, b"body", 1, page.answered, 100.0)]), 1)
    connection.take()
    return connection, weakref.ref(page)


@pytest.mark.parametrize("octets", [frame(frames.HEADERS, END, 1, CREATED), frame(frames.RST_STREAM, 0, 1, bytes(4))])
def test_an_answered_request_is_let_go(octets: bytes) -> None:
    connection, page = started()
    assert page() is not None
    assert len(connection.receive(octets)) == 1
    assert page() is None


def test_so_is_one_whose_connection_ends_in_a_fault() -> None:
    connection, page = started()
    assert len(connection.receive(frame(frames.HEADERS, END, 2, CREATED))) == 1
    assert connection.fault.startswith(Code.PROTOCOL_ERROR.name)
    assert page() is None


def test_a_connection_nobody_uses_any_more_is_gone() -> None:
    connection, _ = started()
    kept = weakref.ref(connection), weakref.ref(connection._intake), weakref.ref(connection._streams)
    del connection
    assert [one() for one in kept] == [None, None, None]
