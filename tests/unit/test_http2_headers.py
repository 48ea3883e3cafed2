"""Header blocks against the reference decoder: whatever the table does, the peer reads what was meant."""

import pytest
from hpack import Decoder
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.webpush.http2.answers import Answers
from adapters.webpush.http2.frames import ConnectionFault, StreamFault
from adapters.webpush.http2.headers import CAPACITY, RequestHeaders, Table, path_head, size_of
from adapters.webpush.http2.request import Profile

AUTHORITY = b"push.example"
USUAL = ((b"ttl", b"60"), (b"urgency", b"high"), (b"authorization", b"vapid t=" + b"e" * 200))


def fields_of(profile: Profile, path: bytes, length: int) -> list[tuple[bytes, bytes]]:
    pseudo = [(b":method", b"POST"), (b":scheme", b"https"), (b":authority", AUTHORITY), (b":path", path)]
    return [*pseudo, (b"content-length", b"%d" % length), *profile.headers]


class Peer:
    """The reference decoder, which knows the sizes it allowed."""

    def __init__(self) -> None:
        self.decoder = Decoder()
        self.headers = RequestHeaders(AUTHORITY)

    def allow(self, size: int) -> None:
        self.decoder.max_allowed_table_size = size
        self.headers.limit(size)

    def receives(self, profile: Profile, path: bytes = b"/p", length: int = 5) -> int:
        """Octets of the block, which must mean what was asked for."""
        before, after, _ = self.headers.parts(profile, length)
        block = before + path_head(len(path)) + path + after
        got = [(bytes(name), bytes(value)) for name, value in self.decoder.decode(block, raw=True)]
        assert got == fields_of(profile, path, length)
        assert self.decoder.header_table_size <= max(self.decoder.max_allowed_table_size, 0)
        return len(block)


def test_shared_headers_are_written_once() -> None:
    peer, profile = Peer(), Profile(USUAL)
    first = peer.receives(profile, b"/p" * 100)
    second = peer.receives(profile, b"/q" * 100)
    assert first > 400
    assert second == 2 + 1 + 3 + 200 + 5 + len(USUAL) - 1 + 1 - 1  # indices, path literal, content-length


def test_a_block_lasts_only_once_all_stands_in_the_table() -> None:
    headers, profile = RequestHeaders(AUTHORITY), Profile(USUAL)
    assert not headers.parts(profile, 5).lasting
    lasting = headers.parts(profile, 5)
    assert lasting.lasting
    assert headers.parts(profile, 5) is lasting
    headers.parts(Profile(((b"ttl", b"59"),)), 5)  # an insertion moves the indices
    assert headers.parts(profile, 5) is not lasting


@pytest.mark.parametrize("size", [0, 1, 31, 32, 100, 300, CAPACITY - 1, CAPACITY, 65_536])
def test_a_table_of_any_size_is_kept_to(size: int) -> None:
    peer, profile = Peer(), Profile(USUAL)
    peer.receives(profile)
    peer.allow(size)
    for _ in range(3):
        peer.receives(profile)


def test_of_several_changes_the_smallest_and_the_last_are_announced() -> None:
    peer, profile = Peer(), Profile(USUAL)
    peer.receives(profile)
    for size in (500, 0, 4_096):
        peer.allow(size)
    before = peer.headers.parts(profile, 5).before
    assert before.startswith(b"\x20\x3f\xe1\x1f")  # to 0, then to 4096


def test_a_header_larger_than_the_table_is_sent_and_not_kept() -> None:
    peer, profile = Peer(), Profile(((b"ttl", b"1"), (b"x-large", b"l" * 5_000)))
    assert peer.receives(profile) > 5_000
    assert peer.receives(profile) > 5_000
    assert peer.headers.parts(profile, 5).lasting


def test_entries_are_evicted_oldest_first_and_by_their_standard_size() -> None:
    table, fields = Table(), [(b"name-%d" % n, b"v" * 10) for n in range(3)]
    table.resize(2 * size_of(fields[0]))
    for field in fields:
        table.add(field)
    assert [table.index(field) for field in fields] == [None, 63, 62]
    table.add((b"n", b"v" * 1_000))
    assert [table.index(field) for field in fields] == [None, None, None]


names = st.sampled_from([b"ttl", b"topic", b"urgency", b"authorization", b"content-type", b"x-a", b"x-b"])
values = st.sampled_from([b"", b"1", b"v" * 40, b"w" * 700, b"z" * 3_000, b"y" * 5_000])
profiles = st.lists(st.tuples(names, values), max_size=6).map(lambda fields: Profile(tuple(fields)))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("send"), st.integers(0, 3), st.integers(0, 300)),
        st.tuples(st.just("allow"), st.sampled_from([0, 50, 400, 1_500, 4_096, 9_000]), st.just(0)),
    ),
    max_size=40,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(profiles, min_size=4, max_size=4), steps)
def test_whatever_is_sent_and_allowed_the_peer_understands(
    known: list[Profile], todo: list[tuple[str, int, int]]
) -> None:
    peer = Peer()
    for what, which, length in todo:
        if what == "send":
            peer.receives(known[which], b"/" + b"p" * length, length)
        else:
            peer.allow(which)


# --- answers ------------------------------------------------------------------------------------------------------


def test_an_answer_seen_before_is_the_same_object() -> None:
    answers = Answers()
    block = b"\x08\x03201" + b"\x00\x08location\x06/m/\xc3\xa8a"
    reply = answers.read(block)
    assert answers.read(block) is reply
    assert (reply.status, reply.headers["Location"]) == (201, "/m/èa")


def test_what_is_not_utf8_comes_through_unprintable() -> None:
    reply = Answers().read(b"\x88\x00\x08location\x03/\xff\xfe")
    assert not reply.headers["location"].isprintable()


@pytest.mark.parametrize("status", [b"429", b"503", b"103"])
def test_strained_and_interim_answers_are_not_remembered(status: bytes) -> None:
    answers = Answers()
    assert answers.read(b"\x08\x03" + status).status == int(status)
    assert answers.seen == {}


def test_what_is_remembered_has_an_end() -> None:
    answers = Answers()
    for number in range(2_000):
        answers.read(b"\x88\x00\x01x\x04%04d" % number)
    assert 0 < len(answers.seen) <= 512


@pytest.mark.parametrize(
    "block", [b"", b"\x00\x01x\x011", b"\x08\x0220", b"\x08\x03abc", b"\x08\x03099", b"\x08\x03101", b"\x88\x88"]
)
def test_a_malformed_answer_harms_its_stream_only(block: bytes) -> None:
    with pytest.raises(StreamFault):
        Answers().read(block)


@pytest.mark.parametrize("block", [b"\xbe", b"\xff\xff\xff\xff\xff\xff\x0f", b"\x3f\xe1\x1f\x88", b"\x08\x7f", b"\x80"])
def test_a_block_that_cannot_be_decoded_ends_the_connection(block: bytes) -> None:
    with pytest.raises(ConnectionFault, match="COMPRESSION_ERROR"):
        Answers().read(block)
