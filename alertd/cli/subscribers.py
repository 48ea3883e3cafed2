"""`alertd subscribers import | export | list`: on the store itself, daemon running or not."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.table import Table

from alertd.cli.errors import WRONG_USAGE, Failure, bullets
from alertd.cli.options import Config
from alertd.cli.tables import show
from alertd.cli.tokens import actor
from alertd.core.citizens.subscribe import Loaded, Subscribers
from alertd.core.citizens.transfer import read_ndjson, write_ndjson
from alertd.core.citizens.transfer_csv import read_csv, write_csv
from alertd.domain.subscriber import mask
from alertd.settings import Channel, Settings, load

app = typer.Typer(help="Who is told.", no_args_is_help=True)

_CHUNK = 65_536
_SHOWN = 20


class Format(StrEnum):
    NDJSON = "ndjson"
    CSV = "csv"


class ConfiguredAddresses:
    """What makes an address canonical, from the configuration alone: no channel is opened for it."""

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self._channels = {c.name: c for c in channels.values() if c.kind.traits_of(c.config).addressed}

    def normalize(self, channel: str, address: str) -> str:
        """Raises ValueError, saying what is wrong."""
        if (found := self._channels.get(channel)) is None:
            known = ", ".join(sorted(self._channels)) or "none"
            raise ValueError(f"no channel {channel!r} that takes addresses; there are {known}")
        return found.kind.normalize(found.config, address)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE|-", show_default=False, help="- is standard input.")],
    form: Annotated[
        Format | None, typer.Option("--format", help="Else by the file's name, then by its first byte.")
    ] = None,
    config: Config = None,
) -> None:
    """Enrol from NDJSON or CSV. Good lines are taken, bad ones told; fails where there were bad ones."""
    settings = load(config)
    if str(file) == "-":
        loaded = asyncio.run(_import(settings, sys.stdin.buffer, form))
    else:
        try:
            opened = file.open("rb")
        except OSError as error:
            raise Failure(f"{file} cannot be read: {error.strerror}", WRONG_USAGE) from None
        with opened:
            loaded = asyncio.run(_import(settings, opened, form or _by_name(file)))
    counts = f"created {loaded.created:,}, updated {loaded.updated:,}, rejected {loaded.rejected:,}"
    sys.stdout.write(counts + "\n")
    if loaded.rejected:
        shown = [f"line {e.line}: {e.msg}" for e in loaded.errors[:_SHOWN]]
        more = [f"and {loaded.rejected - len(shown):,} more"] if loaded.rejected > len(shown) else []
        raise Failure("\n".join(("These lines were left out:", *bullets([*shown, *more]))))


@app.command("export")
def export(
    form: Annotated[Format, typer.Option("--format")] = Format.NDJSON,
    config: Config = None,
) -> None:
    """Every subscriber, whole, on stdout: personal data, so mind where it goes."""
    asyncio.run(_export(load(config), form))


@app.command("list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    config: Config = None,
) -> None:
    """The first subscribers, their addresses masked."""
    asyncio.run(_list(load(config), limit))


@asynccontextmanager
async def _subscribers(settings: Settings) -> AsyncIterator[Subscribers]:
    from alertd.app import open_store
    from alertd.clock import SystemClock
    from alertd.territory import load_territory

    territory = load_territory(settings.zones)
    addresses = ConfiguredAddresses(settings.channels)
    async with open_store(settings) as store:
        yield Subscribers(store=store, addresses=addresses, territory=lambda: territory, clock=SystemClock())


async def _import(settings: Settings, file: BinaryIO, form: Format | None) -> Loaded:
    first = file.read(_CHUNK)
    if form is None:
        form = Format.NDJSON if first.lstrip(b"\xef\xbb\xbf\x1e \t\r\n").startswith(b"{") else Format.CSV
    read = read_csv if form is Format.CSV else read_ndjson
    async with _subscribers(settings) as subscribers:
        return await subscribers.load(read(_chunks(first, file)), actor=actor())


async def _chunks(first: bytes, file: BinaryIO) -> AsyncIterator[bytes]:
    chunk = first
    while chunk:
        yield chunk
        chunk = file.read(_CHUNK)


async def _export(settings: Settings, form: Format) -> None:
    write = write_csv if form is Format.CSV else write_ndjson
    async with _subscribers(settings) as subscribers:
        async for chunk in write(subscribers.export()):
            sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


async def _list(settings: Settings, limit: int) -> None:
    table = Table("id", "cohort", "language", "zones", "purposes", "endpoints")
    async with _subscribers(settings) as subscribers:
        page, more = await subscribers.page(limit=limit)
    for s in page:
        endpoints = ", ".join(f"{e.channel}:{mask(e.address)}" for e in s.endpoints)
        wants = s.preference
        table.add_row(
            s.id, s.cohort, wants.language, " ".join(wants.zones), " ".join(sorted(wants.purposes)), endpoints
        )
    show(table)
    if more is not None:
        sys.stderr.write(f"alertd: only the first {limit:,}; `alertd subscribers export` has them all\n")


def _by_name(file: Path) -> Format | None:
    return {".csv": Format.CSV, ".ndjson": Format.NDJSON, ".jsonl": Format.NDJSON}.get(file.suffix.lower())
