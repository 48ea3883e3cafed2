"""SMTP replies out of a stream: however it is cut, the same replies; garbage is known for what it is."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from adapters.email.replies import GARBLED, MAX_REPLY, Replies, text_of

CODES = st.integers(200, 599)
WORDS = st.text("abc 1.-", max_size=12)
REPLY = st.tuples(CODES, st.lists(WORDS, min_size=1, max_size=3))


def written(reply):
    code, lines = reply
    return "".join(f"{code}{'-' if i < len(lines) - 1 else ' '}{line}\r\n" for i, line in enumerate(lines)).encode()


@given(st.lists(REPLY, max_size=12), st.lists(st.integers(0, 300), max_size=8))
def test_however_the_stream_is_cut(replies, cuts):
    stream = b"".join(map(written, replies))
    edges = sorted({0, len(stream), *(min(cut, len(stream)) for cut in cuts)})
    parser = Replies()
    found = [each for a, b in itertools.pairwise(edges) for each in parser.feed(stream[a:b])]
    assert [(code, text_of(line)) for code, line in found] == [(code, lines[0].strip()) for code, lines in replies]


def test_what_is_no_reply_ends_it():
    for bad in (
        b"abc no\r\n",
        b"\r\n",
        b"2\r\n",
        b"25\r\n",
        b"+25 ok\r\n",
        b"250~ok\r\n",
        b"250-a\r\n550 b\r\n",
        b"2" * (MAX_REPLY + 1),
        b"250-more\r\n" * (MAX_REPLY // 8),
        b"\xff\xfe\x00\r\n",
    ):
        found = Replies().feed(b"250 ok\r\n" + bad)
        assert found[0][0] == 250
        assert found[-1][0] == GARBLED, bad
    for good in (b"250\r\n", b"250\n", b"250 \r\n", b"250 ok\n"):
        assert [code for code, _ in Replies().feed(good)] == [250]


@given(st.binary(max_size=200))
def test_any_bytes(data):
    for code, line in Replies().feed(data):
        assert code == GARBLED or 0 <= code <= 999
        assert isinstance(text_of(line), str)
