"""Header blocks of responses against the reference decoder: what it reads we read, what it rejects we reject."""

from contextlib import suppress

import pytest
from hpack import Decoder, Encoder, HPACKError
from hpack.hpack import encode_integer
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.table import HeaderTable
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.webpush.http2.answers import MAX_LIST, Answers
from adapters.webpush.http2.frames import ConnectionFault, StreamFault
from adapters.webpush.http2.huffman import Huffman

Field = tuple[bytes, bytes]
Read = tuple[int, str | None, str | None]
CREATED = b"\x48\x03201"
CODE = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


class Malformed(Exception):
    """The reference read the block, and it is no response."""


def expected(block: bytes) -> Read:
    """Status, Location and Retry-After, as the reference reads them. HPACKError, Shortened."""
    decoder = Decoder(max_header_list_size=MAX_LIST)
    decoder.header_table_size = decoder.max_allowed_table_size = 0
    fields = [(bytes(name), bytes(value)) for name, value in decoder.decode(block, raw=True)]
    if not fields or fields[0][0] != b":status":
        raise Malformed
    status = fields[0][1]
    if len(status) != 3 or not status.isdigit() or status[:1] == b"0" or status == b"101":
        raise Malformed
    if any(name[:1] == b":" or name != name.lower() for name, _ in fields[1:]):
        raise Malformed
    first = {name: value.decode("utf-8", "surrogateescape") for name, value in reversed(fields)}
    return int(status), first.get(b"location"), first.get(b"retry-after")


def read(answers: Answers, block: bytes) -> Read:
    reply = answers.read(block)
    return reply.status, reply.headers.get("Location"), reply.headers.get("Retry-After")


def agree(answers: Answers, block: bytes) -> None:
    wanted: Read | type[Exception]
    try:
        wanted = expected(block)
    except Malformed:
        wanted = StreamFault
    except HPACKError as error:
        wanted = Exception if "Huffman" in str(error) else ConnectionFault  # we may step over a wrong code
    if isinstance(wanted, tuple):
        assert read(answers, block) == wanted
    elif wanted is not Exception:
        with pytest.raises(wanted, match="COMPRESSION_ERROR" if wanted is ConnectionFault else "PROTOCOL_ERROR"):
            answers.read(block)
    else:
        with suppress(ConnectionFault, StreamFault):
            answers.read(block)


# --- blocks -------------------------------------------------------------------------------------------------------

NAMES = st.one_of(
    st.sampled_from([b"location", b"retry-after", b":status", b"date", b"server", b"x", b"Location", b":path", b""]),
    st.binary(max_size=5),
)
VALUES = st.one_of(
    st.sampled_from([b"", b"201", b"/m/" + b"a" * 140, b"120", "/è".encode(), b"Sun, 22 Nov 2026 03:52:17 GMT"]),
    st.binary(max_size=40),
    st.text(max_size=40).map(str.encode),
)
STATUS = st.sampled_from([b"201", b"200", b"404", b"429", b"103", b"503", b"101", b"99", b"2O1", b"099", b""])
LISTS = st.lists(st.tuples(NAMES, VALUES), max_size=6)


@st.composite
def numbers(draw: st.DrawFn, number: int, bits: int) -> bytearray:
    """An integer, some of them longer than they need be."""
    octets = encode_integer(number, bits)
    if len(octets) > 1 and draw(st.integers(0, 3)) == 0:
        octets[-1] |= 0x80
        octets += b"\x80" * draw(st.integers(0, 4)) + b"\x00"
    return octets


@st.composite
def strings(draw: st.DrawFn, text: bytes) -> bytes:
    huffman = draw(st.booleans())
    coded = CODE.encode(text) if huffman else text
    head = draw(numbers(len(coded), 7))
    head[0] |= 0x80 * huffman
    return bytes(head) + coded


@st.composite
def literals(draw: st.DrawFn, field: Field) -> bytes:
    """A literal in any of its three representations, its name spelt out or any index."""
    pattern, bits = draw(st.sampled_from([(0x40, 6), (0x00, 4), (0x10, 4)]))
    same = [index for index, (name, _) in enumerate(HeaderTable.STATIC_TABLE, 1) if name == field[0]]
    index = draw(st.sampled_from([0, *same])) if draw(st.integers(0, 9)) else draw(st.integers(0, 70))
    head = draw(numbers(index, bits))
    head[0] |= pattern
    return bytes(head) + (b"" if index else draw(strings(field[0]))) + draw(strings(field[1]))


@st.composite
def blocks(draw: st.DrawFn) -> bytes:
    updates = b"\x20" * draw(st.integers(0, 2))
    first = draw(st.one_of(literals((b":status", draw(STATUS))), st.integers(8, 14).map(lambda i: bytes((0x80 | i,)))))
    indexed = st.integers(0, 64).map(lambda index: bytes((0x80 | index,)))
    others = draw(st.lists(st.one_of(st.tuples(NAMES, VALUES).flatmap(literals), indexed), max_size=6))
    return updates + first + b"".join(others)


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    octets = bytearray(draw(blocks()))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(octets)))
        octets[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(octets)


# --- against the reference ----------------------------------------------------------------------------------------


@given(STATUS, LISTS, st.booleans())
@settings(deadline=None, max_examples=100)
def test_what_an_encoder_without_a_table_writes(status: bytes, fields: list[Field], huffman: bool) -> None:
    encoder = Encoder()
    encoder.header_table_size = 0
    answers = Answers()
    for _ in range(2):  # the second without the size update
        agree(answers, encoder.encode([(b":status", status), *fields], huffman=huffman))


@given(st.lists(st.one_of(blocks(), spoiled(), st.binary(max_size=30)), min_size=1, max_size=8))
@example([CREATED + b"\x20", b"\x20\x20" + CREATED, b"\x21" + CREATED, b"\x3f\x00" + CREATED, b"\x20"])
@example([CREATED + bytes((first,)) + b"\x00\x00" for first in range(256)])
@example([CREATED + first + b"\xae\x80\x80\x80\x00\x01a" for first in (b"\x0f", b"\x1f")])
@example([CREATED + first + b"\xae\x80\x80\x80\x80\x00\x01a" for first in (b"\x0f", b"\x1f")])
@example([CREATED + b"\x6e\x81\x83\x80\x80\x80\x00ab", CREATED + b"\x6e\x7f\x80\x80\x80\x80\x10a"])
@example([CREATED + b"\x00\x08location\x01a", CREATED + b"\x00\x08locatio"])
@settings(deadline=None, max_examples=150)
def test_any_block_means_what_the_reference_says(octets: list[bytes]) -> None:
    answers = Answers()
    for block in octets:
        agree(answers, block)


@given(st.lists(st.one_of(st.binary(max_size=30).map(CODE.encode), st.binary(max_size=30)), max_size=4))
@example([b"\xff" * 4, b"\xff" * 3 + b"\xfc", b"\xff" * 40, b"\xff", b"\x1f\xff", b"\x18", b"\x1c"])
@settings(deadline=None, max_examples=150)
def test_huffman_codes(coded: list[bytes]) -> None:
    huffman = Huffman()
    for string in coded:
        head = encode_integer(len(string), 7)
        head[0] |= 0x80
        try:
            ((_, text),) = Decoder().decode(b"\x0f\x1f" + bytes(head) + string, raw=True)
        except HPACKError:
            with pytest.raises(ValueError, match="Huffman"):
                huffman.decode(string)
        else:
            assert huffman.decode(string) == text


def test_every_symbol_and_every_pair_of_symbols() -> None:
    huffman = Huffman()
    for octet in range(256):
        text = bytes(other for second in range(256) for other in (octet, second))
        assert huffman.decode(CODE.encode(text)) == text


# --- what is looked at, and what is not ---------------------------------------------------------------------------

NO_CODE = b"\x82\xff\xff"
"""A string of sixteen ones: more than padding may be."""


@pytest.mark.parametrize("head", [b"\x48", b"\x48\x03201\x6e", b"\x48\x03201\x75", b"\x48\x03201\x40", b"\x20\x08"])
def test_a_wrong_code_in_what_we_read_ends_the_connection(head: bytes) -> None:
    with pytest.raises(ConnectionFault, match="COMPRESSION_ERROR"):
        Answers().read(head + NO_CODE + b"\x01a")


def test_a_wrong_code_in_what_nobody_reads_is_stepped_over() -> None:
    assert read(Answers(), CREATED + b"\x76" + NO_CODE + b"\x6e\x02/a") == (201, "/a", None)


def test_of_a_field_given_twice_the_first_counts() -> None:
    assert read(Answers(), CREATED + b"\x6e\x02/a\x00\x08location\x02/b\x75\x011\xb5") == (201, "/a", "1")


@pytest.mark.parametrize("again", [False, True])
def test_a_name_in_upper_case_harms_its_stream_only(again: bool) -> None:
    answers = Answers()
    for _ in range(1 + again):
        with pytest.raises(StreamFault):
            answers.read(CREATED + b"\x00\x01X\x01a")


def test_a_block_that_cannot_be_decoded_outweighs_a_malformed_response() -> None:
    with pytest.raises(ConnectionFault):
        Answers().read(b"\x88\x88\xbe")


@pytest.mark.parametrize(
    "block", [b"", b"\x00\x0ax-checksum\x011", b"\x00\x0ax-checksum\x81\x1f", b"\x88\x00\x01X\x00", b"\x83\x84"]
)
def test_trailers_need_only_be_decodable(block: bytes) -> None:
    Answers().fields(block)


@pytest.mark.parametrize("block", [b"\xbe", b"\x00\x01x", b"\x00\x01x\x02a", b"\x00\x01x\x01a\x20", b"\x3f"])
def test_trailers_that_cannot_be_decoded_end_the_connection(block: bytes) -> None:
    with pytest.raises(ConnectionFault, match="COMPRESSION_ERROR"):
        Answers().fields(block)


# --- limits -------------------------------------------------------------------------------------------------------


def long_block(octets: int) -> bytes:
    """A response whose list has so many octets as RFC 9113, section 6.5.2 counts them."""
    room = octets - (len(":status") + 3 + 32) - (len("server") + 32)
    return CREATED + b"\x76" + bytes(encode_integer(room, 7)) + b"a" * room


def test_a_list_as_long_as_we_allow() -> None:
    block = long_block(MAX_LIST)
    agree(Answers(), block)
    assert read(Answers(), block)[0] == 201


@pytest.mark.parametrize("block", [long_block(MAX_LIST + 1), b"\x88" * 2_000, CREATED + b"\x76\x00" * 2_000])
def test_a_longer_list_ends_the_connection(block: bytes) -> None:
    agree(Answers(), block)
    with pytest.raises(ConnectionFault, match="more fields than we allow"):
        Answers().read(block)


def test_a_huffman_code_counts_as_if_it_were_the_shortest() -> None:
    """The deliberate difference to the reference: what is not decoded is not counted exactly."""
    coded = CODE.encode(b"~" * 28_000)
    block = bytearray(encode_integer(len(coded), 7))
    block[0] |= 0x80
    whole = CREATED + b"\x76" + bytes(block) + coded
    assert len(whole) < MAX_LIST
    assert expected(whole) == (201, None, None)
    with pytest.raises(ConnectionFault, match="more fields than we allow"):
        Answers().read(whole)


def test_names_are_remembered_to_a_limit_and_stay_right() -> None:
    answers = Answers()
    for number in range(1_000):
        name = b"x-%d" % number
        answers.read(CREATED + b"\x00" + bytes((len(name),)) + name + b"\x00")
        assert read(answers, CREATED + b"\x00\x08location\x02/%d" % (number % 10)) == (201, f"/{number % 10}", None)
    assert len(answers._fields._literal) <= 256
