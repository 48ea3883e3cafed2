"""Entries and feeds as Atom (RFC 4287) and as RSS 2.0, in pieces: what comes first, an entry, what comes last."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from types import MappingProxyType
from typing import ClassVar, Final
from uuid import NAMESPACE_OID, uuid5
from xml.sax.saxutils import escape

from alertd.cap.writer import MEDIA_TYPE, NAMESPACE, writable
from alertd.ports.adapter import Service
from alertd.web.public.feeds.entry import BASE, Entry

ATOM: Final = "http://www.w3.org/2005/Atom"
PURPOSE: Final = "alertd:purpose"
STATUS: Final = "alertd:status"
STANDING: Final = "alertd:standing"
CATEGORY: Final = f"{NAMESPACE}:category"
_DECLARATION: Final = "<?xml version='1.0' encoding='UTF-8'?>\n"
_IN_ATTRIBUTES: Final = {'"': "&quot;", "\n": "&#10;", "\t": "&#9;"}


@dataclass(frozen=True, slots=True)
class Head:
    """What a feed says of itself. `path` is its own address on this site; `updated` 1970 where it lists nothing."""

    service: Service
    title: str
    path: str
    updated: datetime


class Format(ABC):
    """`name` is the ending of its address; `last` closes what `first` opened."""

    name: ClassVar[str]
    media_type: ClassVar[str]
    last: ClassVar[bytes]

    @abstractmethod
    def first(self, head: Head) -> bytes:
        """Everything before the first entry."""

    @abstractmethod
    def entry(self, entry: Entry) -> bytes: ...


class Atom(Format):
    name = "atom"
    media_type = "application/atom+xml"
    last = b"</feed>\n"

    def first(self, head: Head) -> bytes:
        service = head.service
        email = _element("email", service.sender) if "@" in service.sender else ""
        return _bytes(
            _DECLARATION,
            f'<feed xmlns="{ATOM}">',
            _element("id", uuid5(NAMESPACE_OID, f"{service.sender} {head.path}").urn),
            _element("title", head.title),
            _element("updated", head.updated.isoformat()),
            f"<author>{_element('name', service.name)}{email}</author>",
            _element("generator", "alertd"),
            _link("self", self.media_type, BASE + head.path),
            _link("alternate", "text/html", f"{BASE}/"),
        )

    def entry(self, entry: Entry) -> bytes:
        """The CAP document comes first among the links: many readers follow that one alone."""
        return _bytes(
            f"<entry{_attributes({'xml:lang': entry.language})}>",
            _element("id", entry.id),
            _element("title", entry.title),
            _element("updated", entry.sent.isoformat()),
            _element("published", entry.released_at.isoformat(timespec="seconds")),
            f"<author>{_element('name', entry.author)}</author>",
            _link("alternate", MEDIA_TYPE, entry.cap),
            _link("alternate", "text/html", entry.page) if entry.page else "",
            *(
                _element("category", None, {"scheme": s, "term": t} if s else {"term": t})
                for s, t in _categories(entry)
            ),
            _element("summary", entry.summary),
            "</entry>",
        )


class Rss(Format):
    """The item's link is the CAP document, as readers of CAP feeds expect; its comments are the page for people."""

    name = "rss"
    media_type = "application/rss+xml"
    last = b"</channel></rss>\n"

    def first(self, head: Head) -> bytes:
        service = head.service
        return _bytes(
            _DECLARATION,
            f'<rss version="2.0" xmlns:atom="{ATOM}"><channel>',
            _element("title", head.title),
            f"<link>{BASE}/</link>",
            _element("description", service.name),
            _element("language", service.languages[0].lower()),
            _element("pubDate", format_datetime(head.updated)),
            _element("generator", "alertd"),
            _link("self", self.media_type, BASE + head.path, prefix="atom:"),
        )

    def entry(self, entry: Entry) -> bytes:
        return _bytes(
            "<item>",
            _element("title", entry.title),
            f"<link>{entry.cap}</link>",
            _element("description", entry.summary),
            *(_element("category", t, {"domain": s} if s else {}) for s, t in _categories(entry)),
            f"<comments>{entry.page}</comments>" if entry.page else "",
            _element("guid", entry.id, {"isPermaLink": "false"}),
            _element("pubDate", format_datetime(entry.sent)),
            "</item>",
        )


ATOM_FORMAT: Final = Atom()
RSS_FORMAT: Final = Rss()


def based(piece: bytes, base: str) -> bytes:
    """The piece with this site's address where it belongs; an empty one leaves relative references."""
    return piece.replace(BASE.encode(), escape(base, _IN_ATTRIBUTES).encode())


def _categories(entry: Entry) -> Iterator[tuple[str, str]]:
    """(scheme, term); the event is a word of nobody's scheme."""
    if entry.event:
        yield "", entry.event
    for category in entry.categories:
        yield CATEGORY, category
    yield PURPOSE, entry.purpose
    yield STATUS, entry.status
    yield STANDING, entry.standing


def _element(name: str, text: str | None, attributes: Mapping[str, str] = MappingProxyType({})) -> str:
    said = _attributes(attributes)
    return f"<{name}{said}/>" if text is None else f"<{name}{said}>{escape(writable(text))}</{name}>"


def _attributes(attributes: Mapping[str, str]) -> str:
    return "".join(f' {name}="{escape(writable(value), _IN_ATTRIBUTES)}"' for name, value in attributes.items())


def _link(rel: str, media_type: str, href: str, *, prefix: str = "") -> str:
    """`href` is written as it is, percent-encoded: it begins with BASE, which no text may hold."""
    return f'<{prefix}link rel="{rel}" type="{media_type}" href="{href}"/>'


def _bytes(*parts: str) -> bytes:
    return f"{''.join(parts)}\n".encode()
