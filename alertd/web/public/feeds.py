"""Current alerts as Atom (RFC 4287) and RSS 2.0, each entry leading to one CAP document.

An entry's id is made from the message's own key (sender, identifier, sent), so that it is the same wherever the
feed is read. A Cancel is an entry too until it ends: a reader who kept the original must learn of it.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, tostring

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from alertd.cap.writer import MEDIA_TYPE, writable
from alertd.domain.alert import Alert, MsgType
from alertd.ports.adapter import Service
from alertd.web.public.kept import answer
from alertd.web.public.language import accepted
from alertd.web.public.pages import LIVE, MOST_LIVE
from alertd.web.public.site import Site
from alertd.web.public.view import live, public, spoken
from alertd.web.public.words import table

ATOM: Final = "http://www.w3.org/2005/Atom"
MAX_AGE: Final = 15
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """What both feeds say of an alert."""

    id: str
    title: str
    summary: str
    language: str
    category: str
    sent: datetime
    page: str
    cap: str


def add(router: APIRouter, site: Site) -> None:
    @router.api_route("/feed.atom", methods=["GET", "HEAD"])
    async def atom_feed(request: Request) -> Response:
        async def make() -> bytes:
            return atom(site.services.service(), await _entries(site))

        copy = await site.kept.get("atom", make)
        return answer(request, copy, media_type="application/atom+xml", max_age=MAX_AGE)

    @router.api_route("/feed.rss", methods=["GET", "HEAD"])
    async def rss_feed(request: Request) -> Response:
        async def make() -> bytes:
            return rss(site.services.service(), await _entries(site))

        copy = await site.kept.get("rss", make)
        return answer(request, copy, media_type="application/rss+xml", max_age=MAX_AGE)


async def _entries(site: Site) -> list[Entry]:
    service, now = site.services.service(), site.services.clock.now()
    listed = await site.services.reports.store.list_alerts(limit=MOST_LIVE, states=LIVE, public=True)
    return [entry_of(s.alert, service) for s in listed if public(s) and live(s, now)]


def entry_of(alert: Alert, service: Service) -> Entry:
    infos = spoken(alert, service.languages[0], service.languages)
    title = (infos[0].headline or infos[0].event) if infos else (alert.note or alert.identifier)
    language = infos[0].language if infos else service.languages[0]
    if alert.msg_type is MsgType.CANCEL:
        title = f"{table(accepted(language))['standing_cancels']}: {title}"
        summary = alert.note or title
    else:
        summary = "\n\n".join(t for info in infos for t in (info.description, info.instruction) if t)
    return Entry(
        id=_id(f"{alert.sender},{alert.identifier},{alert.sent}"),
        title=title,
        summary=summary,
        language=language,
        category=infos[0].event if infos else alert.purpose,
        sent=datetime.fromisoformat(alert.sent),
        page=f"{service.public_url}/alerts/{quote(alert.id, safe='')}",
        cap=f"{service.public_url}/cap/{quote(alert.identifier, safe='')}.xml",
    )


def atom(service: Service, entries: Sequence[Entry]) -> bytes:
    feed = Element("feed", {"xmlns": ATOM})
    _atom(feed, "id", _id(f"{service.sender} feed"))
    _atom(feed, "title", service.name)
    _atom(feed, "updated", max((e.sent for e in entries), default=_NEVER).isoformat())
    _atom(SubElement(feed, "author"), "name", service.name)
    _atom(feed, "link", rel="self", type="application/atom+xml", href=f"{service.public_url}/feed.atom")
    _atom(feed, "link", rel="alternate", type="text/html", href=f"{service.public_url}/")
    for entry in entries:
        _atom_entry(SubElement(feed, "entry", {"xml:lang": entry.language}), entry)
    return _document(feed)


def _atom_entry(to: Element, entry: Entry) -> None:
    _atom(to, "id", entry.id)
    _atom(to, "title", entry.title)
    _atom(to, "updated", entry.sent.isoformat())
    _atom(to, "published", entry.sent.isoformat())
    _atom(to, "link", rel="alternate", type=MEDIA_TYPE, href=entry.cap)
    _atom(to, "link", rel="alternate", type="text/html", href=entry.page)
    _atom(to, "category", term=entry.category)
    _atom(to, "summary", entry.summary or entry.title)


def rss(service: Service, entries: Sequence[Entry]) -> bytes:
    """The item's link is the CAP document, as readers of CAP feeds expect; its comments are the page for people."""
    feed = Element("rss", {"version": "2.0"})
    channel = SubElement(feed, "channel")
    _text(channel, "title", service.name)
    _text(channel, "link", f"{service.public_url}/")
    _text(channel, "description", service.name)
    _text(channel, "language", service.languages[0].lower())
    for entry in entries:
        item = SubElement(channel, "item")
        _text(item, "title", entry.title)
        _text(item, "link", entry.cap)
        _text(item, "comments", entry.page)
        _text(item, "description", entry.summary or entry.title)
        _text(item, "category", entry.category)
        _text(item, "pubDate", format_datetime(entry.sent))
        SubElement(item, "guid", {"isPermaLink": "false"}).text = entry.id
    return _document(feed)


def _atom(to: Element, name: str, text: str | None = None, **attributes: str) -> None:
    element = SubElement(to, name, {key: writable(value) for key, value in attributes.items()})
    element.text = None if text is None else writable(text)


def _text(to: Element, name: str, text: str) -> None:
    SubElement(to, name).text = writable(text)


def _document(root: Element) -> bytes:
    document: bytes = tostring(root, encoding="UTF-8", xml_declaration=True)
    return document


def _id(key: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_OID, key).urn
