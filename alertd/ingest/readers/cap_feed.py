"""An index of CAP messages: Atom (RFC 4287) or RSS 2.0 whose entries link to one document each or hold it inline.

Only the index is read here; what an entry leads to is for `alertd.cap`, by whose rules this XML is parsed too: no
DOCTYPE, no entities, no network.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urljoin, urlsplit

from lxml import etree

from alertd.cap.document import Limits, Refused, parse
from alertd.domain.signal import Violation
from alertd.ingest.readers.received import Fault, Notes, Options
from alertd.ingest.readers.values import shown, utc_moment, word

MAX_ENTRIES: Final = 10_000
CAP_TYPE: Final = "application/cap+xml"
_CAP_NAMESPACE: Final = ("urn:oasis:names:tc:emergency:cap:", "http://www.incident.com/cap/")
_ATOM: Final = "{http://www.w3.org/2005/Atom}"
_LIMITS: Final = Limits(octets=16 * 2**20, marks=600_000)
_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})


class Config(Options):
    """`links = false` where a feed holds every message inline and its links lead to web pages."""

    links: bool = True


@dataclass(frozen=True, slots=True)
class Entry:
    """One message of a feed. `id` is opaque; with the same `id` and the same `updated` it is the same message.
    `updated` is aware, None where the feed does not say it. One of `link` (absolute, http or https) and `inline` (a
    CAP document) is always there, maybe both: then `inline` is it."""

    id: str
    updated: datetime | None
    title: str
    link: str = ""
    inline: bytes | None = None


@dataclass(frozen=True, slots=True)
class Index:
    """The entries of a feed in its order, one for each id, and what was wrong with it."""

    entries: tuple[Entry, ...]
    violations: tuple[Violation, ...] = ()


def entries(payload: bytes, config: Config, base: str = "") -> Index:
    """What a feed lists. `base` is its own address, for links that are relative."""
    notes = Notes()
    try:
        root = _parsed(payload)
        found = _items(root)
    except Fault as fault:
        return Index((), (Violation(fault.where, fault.message, fatal=True),))
    kept: dict[str, Entry] = {}
    for item in found:
        if entry := _entry(item, config, base, notes):
            _keep(entry, kept, f"line {item.sourceline}", notes)
    return Index(tuple(kept.values()), notes.violations)


def _parsed(payload: bytes) -> etree._Element:
    try:
        return parse(payload, _LIMITS)
    except Refused as error:
        raise Fault(f"line {error.line}", str(error)) from None


def _items(root: etree._Element) -> list[etree._Element]:
    if root.tag == f"{_ATOM}feed":
        items = root.findall(f"{_ATOM}entry")
    elif root.tag == "rss":
        items = root.findall("channel/item")
    else:
        raise Fault(f"line {root.sourceline}", f"<{str(root.tag)[:80]}> is neither an Atom feed nor RSS 2.0")
    if len(items) > MAX_ENTRIES:
        raise Fault("feed", f"{len(items)} entries; at most {MAX_ENTRIES} are read")
    return items


def _keep(entry: Entry, kept: dict[str, Entry], where: str, notes: Notes) -> None:
    """The later of two entries with one id; both in a feed are no fault (RFC 4287, 4.1.1)."""
    before = kept.get(entry.id)
    if before is None:
        kept[entry.id] = entry
        return
    notes.odd(where, f"{shown(entry.id)} is listed twice: the later is taken")
    if entry.updated and (before.updated is None or entry.updated > before.updated):
        kept[entry.id] = entry


def _entry(item: etree._Element, config: Config, base: str, notes: Notes) -> Entry | None:
    where = f"line {item.sourceline}"
    atom = item.tag == f"{_ATOM}entry"
    inline = _inline(item)
    link = _link(item, base, where, notes, atom=atom) if config.links else ""
    if inline is None and not link:
        notes.lost(where, "an entry with neither a link nor a CAP message in it")
        return None
    own = _text(item, f"{_ATOM}id" if atom else "guid")
    if not own:
        notes.odd(where, f"an entry without {'id' if atom else 'guid'}: its link stands in its place")
    try:
        identity = word(own or link or "", 2_000)
    except ValueError:
        notes.lost(where, "an entry without an id, nor a link that could stand in its place")
        return None
    title = _text(item, f"{_ATOM}title" if atom else "title")
    return Entry(identity, _updated(item, where, notes, atom=atom), title[:500], link, inline)


def _text(item: etree._Element, name: str) -> str:
    return (item.findtext(name) or "").strip()


def _updated(item: etree._Element, where: str, notes: Notes, *, atom: bool) -> datetime | None:
    text = _text(item, f"{_ATOM}updated" if atom else "pubDate")
    if not text:
        notes.odd(where, f"an entry without {'updated' if atom else 'pubDate'}: a change cannot be told from it")
        return None
    try:
        return utc_moment(text) if atom else _mail_date(text)
    except ValueError as error:
        notes.odd(where, str(error))
        return None


def _mail_date(text: str) -> datetime:
    """RFC 822 with a year of four digits, as RSS asks; without offset it is UTC."""
    try:
        at = parsedate_to_datetime(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        raise ValueError(f"{shown(text)} is not a date such as Thu, 01 Jan 2026 05:09:13 +0000") from None


def _link(item: etree._Element, base: str, where: str, notes: Notes, *, atom: bool) -> str:
    """The link that says it leads to CAP, else the first that does not say it leads to a web page."""
    given = list(_atom_links(item) if atom else _rss_links(item))
    typed = [href for href, kind in given if kind == CAP_TYPE]
    for href in typed or [href for href, kind in given if kind not in _HTML]:
        try:
            full = word(urljoin(base, href), 2_000)
            parts = urlsplit(full)
            if parts.scheme in ("http", "https") and parts.hostname:
                return full
        except ValueError:
            pass
        notes.odd(where, f"{shown(href)} is no link that can be followed")
    return ""


def _atom_links(item: etree._Element) -> Iterator[tuple[str, str]]:
    """Address and media type; those that lead to the entry itself first (RFC 4287, 4.2.7.2)."""
    links = [link for link in item.iterchildren(f"{_ATOM}link") if link.get("href")]
    links.sort(key=lambda link: link.get("rel", "alternate") != "alternate")
    for link in links:
        kind = (link.get("type") or "").partition(";")[0].strip().lower()
        if link.get("rel") not in ("self", "edit") or kind == CAP_TYPE:
            yield link.get("href", "").strip(), kind


def _rss_links(item: etree._Element) -> Iterator[tuple[str, str]]:
    for enclosure in item.iterchildren("enclosure"):
        if (enclosure.get("type") or "").partition(";")[0].strip().lower() == CAP_TYPE:
            yield (enclosure.get("url") or "").strip(), CAP_TYPE
    if link := _text(item, "link"):
        yield link, ""
    guid = item.find("guid")
    if guid is not None and guid.get("isPermaLink", "true") == "true" and guid.text:
        yield guid.text.strip(), ""


def _inline(item: etree._Element) -> bytes | None:
    """A CAP message inside the entry: as elements, or as the text of its content."""
    for element in item.iterdescendants():
        if str(element.tag).endswith("}alert") and _is_cap(str(element.tag)[1:]):
            document: bytes = etree.tostring(element, encoding="UTF-8", xml_declaration=True, with_tail=False)
            return document
    text = _text(item, f"{_ATOM}content")
    return text.encode() if text.startswith("<") and any(name in text for name in _CAP_NAMESPACE) else None


def _is_cap(tag: str) -> bool:
    return tag.startswith(_CAP_NAMESPACE)
