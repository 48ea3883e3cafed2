"""The HTML part is a simple, balanced fragment that is safe to put into a mail or a page."""

import re
from html import unescape
from html.parser import HTMLParser

_BLOCKS = frozenset({"article", "section", "div", "h2", "h3", "p", "ul", "ol", "li", "dl", "dt", "dd", "br", "hr"})
_WORDS = frozenset({"a", "b", "em", "i", "small", "span", "strong"})
_VOID = frozenset({"br", "hr"})
_ATTRIBUTES = frozenset({"dir", "href", "lang"})
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_SCHEMES = ("https://", "http://", "mailto:", "tel:")
_PLAIN_TAG = re.compile(r'<(/?)([a-z][a-z0-9]*)((?: (?:dir|lang|href)="[^"<>&\s]*")*)>')
_HREF = re.compile(r'href="([^"]*)"')


def fragment_text(fragment: str) -> str:
    """What a reader sees of the fragment, as plain text. Raises ValueError where it is not simple or balanced."""
    if "<" in _TAG.sub("", fragment):
        raise ValueError("holds a '<' that opens no complete tag; write &lt; for the character")
    seen = _plainly_written(fragment)
    if seen is not None:
        return seen
    reader = _Reader()
    reader.feed(fragment)
    reader.close()
    if reader.open:
        raise ValueError(f"leaves <{reader.open[-1]}> open")
    return "".join(reader.seen)


def _plainly_written(fragment: str) -> str | None:
    """The text of a fragment with nothing but the plainest tags, at a tenth of a parser's cost.

    None wherever there is any doubt; then the parser decides, and says what is wrong.
    """
    seen: list[str] = []
    open_: list[str] = []
    end = 0
    for found in _PLAIN_TAG.finditer(fragment):
        closing, tag, attributes = found.groups()
        words = fragment[end : found.start()]
        end = found.end()
        block = tag in _BLOCKS
        if "<" in words or not (block or tag in _WORDS):
            return None
        if words:
            seen.append(unescape(words))
        if closing:
            if attributes or tag in _VOID or not open_ or open_.pop() != tag:
                return None
        else:
            if any(not href.lower().startswith(_SCHEMES) for href in _HREF.findall(attributes)):
                return None
            if tag not in _VOID:
                open_.append(tag)
        if block:
            seen.append("\n")
    if open_ or "<" in fragment[end:]:
        return None
    return "".join((*seen, unescape(fragment[end:])))


class _Reader(HTMLParser):
    """Keeps the text; refuses everything a message has no need of."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _BLOCKS | _WORDS:
            raise ValueError(f"uses <{tag}>; a message may hold {', '.join(sorted(_BLOCKS | _WORDS))}")
        for name, value in attrs:
            if name not in _ATTRIBUTES:
                raise ValueError(f"gives <{tag}> the attribute {name!r}; only {', '.join(sorted(_ATTRIBUTES))}")
            if name == "href" and not (value or "").lower().startswith(_SCHEMES):
                raise ValueError("links to something that is no web, mail or telephone address")
        if tag in _BLOCKS:
            self.seen.append("\n")
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if not self.open or self.open.pop() != tag:
            raise ValueError(f"closes </{tag}> out of order")
        if tag in _BLOCKS:
            self.seen.append("\n")

    def handle_data(self, data: str) -> None:
        self.seen.append(data)

    def handle_comment(self, data: str) -> None:
        raise ValueError(f"holds a comment {data[:20]!r}; use {{# … #}} instead")

    def handle_decl(self, decl: str) -> None:
        raise ValueError(f"holds a declaration {decl[:20]!r}")

    def unknown_decl(self, data: str) -> None:
        raise ValueError(f"holds a declaration {data[:20]!r}")

    def handle_pi(self, data: str) -> None:
        raise ValueError(f"holds a processing instruction {data[:20]!r}")
