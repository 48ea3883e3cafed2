"""`alertd migrate` and `alertd audit verify`: on the store itself, daemon running or not."""

import asyncio
import sys

import typer

from alertd.cli.errors import Failure
from alertd.cli.options import Config
from alertd.domain.audit import GENESIS, first_break
from alertd.settings import Settings, load

_PAGE = 5_000

audit = typer.Typer(help="The audit log: a hash chain.", no_args_is_help=True)


def migrate(config: Config = None) -> None:
    """Bring the store to the current schema (`run` does it too)."""
    settings = load(config)
    asyncio.run(_migrate(settings))
    sys.stdout.write(f"The store {settings.store.path} has the current schema.\n")


@audit.command("verify")
def verify(config: Config = None) -> None:
    """Prove that no entry of the audit log was changed, moved or taken out."""
    count, head = asyncio.run(_verify(load(config)))
    sys.stdout.write(f"The chain is whole: {count:,} entries, head {head}\n")


async def _migrate(settings: Settings) -> None:
    from alertd.app import open_store

    async with open_store(settings):
        pass


async def _verify(settings: Settings) -> tuple[int, str]:
    from alertd.app import open_store

    seq, previous = 0, GENESIS
    async with open_store(settings) as store:
        head = await store.audit_head()
        while page := await store.audit(after=seq, limit=_PAGE):
            if (broken := first_break(page, previous, seq)) is not None:
                raise Failure(f"The chain is broken at entry {broken}: it does not follow from entry {broken - 1}.")
            seq, previous = page[-1].seq, page[-1].hash
    # Entries may be added while we read; fewer than the head said means that the end was cut off.
    if seq < head[0]:
        raise Failure(f"The chain ends at entry {seq}, but its head is entry {head[0]}: entries are missing.")
    return seq, previous
