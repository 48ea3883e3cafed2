"""The short ways through cleaning and reading words say what the long ways say."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alertd.core.words.fragment import fragment_text
from alertd.core.words.wording import plain

_PIECES = st.sampled_from(
    [*" \n\t\r\x0b\x00\x85\x1c\x1f\xa0\u2028\u202a\ufeff\u3000", "  ", "\n\n", " \n", "\n ", "a", "è", "Allerta", "."]
)
_TAGS = ("p", "strong", "section", "li", "a")
_WORDS = st.sampled_from(["", "a b", "a &amp; b", "&lt;", "&am", "&", "1 > 0", "\n", "&#233;", "è"])


def _cleaned(text: str) -> str:
    """`plain`, rule by rule."""
    text = re.sub("\r\n|[\r\x0b\x0c\x85\u2028\u2029]", "\n", text)
    text = re.sub("[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\u202a-\u202e\u2066-\u2069]", "", text)
    text = re.sub(r"[^\S\n]+", " ", text)
    text = re.sub(r" ?\n ?", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_a_text_is_cleaned_alike_whether_it_needs_it_or_not(text: str) -> None:
    assert plain(text) == _cleaned(text)
    assert plain(plain(text)) == plain(text)


@st.composite
def _fragments(draw: st.DrawFn, depth: int = 3) -> str:
    said = draw(_WORDS)
    for _ in range(draw(st.integers(0, 3))) if depth else ():
        tag = draw(st.sampled_from(_TAGS))
        attribute = draw(st.sampled_from(["", ' lang="it-IT"', ' dir="rtl"', ' href="https://a.example/?b=c"']))
        said += f"<{tag}{attribute}>{draw(_fragments(depth=depth - 1))}</{tag}>{draw(_WORDS)}"
        said += draw(st.sampled_from(["", "<br>", "<hr>"]))
    return said


@given(_fragments())
def test_a_plain_fragment_reads_as_the_parser_reads_it(fragment: str) -> None:
    shouted = re.sub("</?[a-z]+", lambda tag: tag[0].upper(), fragment)  # only the parser takes capitals
    assert fragment_text(fragment) == fragment_text(shouted)


@pytest.mark.parametrize(
    "bad",
    [
        "<p>a",
        "a</p>",
        "<p><b>a</p></b>",
        '<a href="javascript:x">a</a>',
        '<a href="/a" href="https://a.example">a</a>',
        '<p onclick="x">a</p>',
        "<script>a</script>",
        "<p>a < b</p>",
        "<p>a<!-- b --></p>",
        "a <",
    ],
)
def test_what_is_not_simple_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match=r"leaves|closes|links|gives|uses|holds"):
        fragment_text(bad)
