"""A mail channel before a scripted server, with what every test of bursts asks of it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from adapters.email import EmailAdapter
from adapters.email.config import EmailConfig
from alertd.domain.delivery import Verdict
from alertd.ports.adapter import Notice, Parcel, Tools
from alertd.ports.clock import Clock
from tests.support import notices
from tests.support.clock import RealClock
from tests.support.pages import Book, ListPage
from tests.support.smtp_server import SmtpServer

UNSUBSCRIBE = "https://allerta.comune.example.it/unsubscribe/"


def tools(clock: Clock | None = None) -> Tools:
    return Tools(
        clock or RealClock(), structlog.get_logger(), notices.SERVICE, Path("/nowhere"), lambda n: f"{UNSUBSCRIBE}{n}"
    )


@asynccontextmanager
async def mail(port: int, clock: Clock | None = None, **changes: Any) -> AsyncIterator[EmailAdapter]:
    settings = {"host": "127.0.0.1", "port": port, "from": "PC <allerta@comune.example.it>", "timeout": 30.0, **changes}
    async with EmailAdapter.open("mail", EmailConfig.model_validate(settings), tools(clock)) as adapter:
        yield adapter


@asynccontextmanager
async def before(server: SmtpServer, clock: Clock | None = None, **changes: Any) -> AsyncIterator[EmailAdapter]:
    async with server.listening(), mail(server.port, clock, **changes) as adapter:
        yield adapter


def parcels(count: int, **changes: Any) -> list[Parcel]:
    """Numbered from 1, in delivery, endpoint and address alike."""
    deadline = notices.notice().deadline
    return [Parcel(n, f"k{n}", n, f"citizen{n}@example.org", deadline)._replace(**changes) for n in range(1, count + 1)]


async def send(
    adapter: EmailAdapter, of: Sequence[Parcel], about: Notice | None = None
) -> tuple[dict[int, Verdict], bytes]:
    """The verdicts, each parcel's exactly once, and the letter as it must arrive below each one's own headers."""
    page = ListPage(adapter.render(about or notices.notice()), of)
    book = Book(page)
    await adapter.send(page, book)
    book.assert_complete()
    assert len(page.taken) == len(of)
    return book.verdicts, page.message.payload.plain


def assert_whole(server: SmtpServer, letter: bytes) -> None:
    """Each message taken has its own recipient, its own sender and every byte."""
    for number, sender, recipients, content in server.taken:
        assert sender == b"allerta+%d@comune.example.it" % number
        assert recipients == (b"citizen%d@example.org" % number,)
        assert content.endswith(letter)
        own = content.removesuffix(letter)
        assert b"\r\nTo: citizen%d@example.org\r\n" % number in own
        assert own.count(b"\r\n") == own.count(b"\n") == own.count(b"\r") == 5
