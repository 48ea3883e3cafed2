"""`alertd token create | list | revoke`: on the store itself, daemon running or not."""

import asyncio
import getpass
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from alertd.cli.options import Config
from alertd.cli.tables import show
from alertd.core.access import Access
from alertd.ports.stores.access import Token
from alertd.settings import Settings, load

app = typer.Typer(help="Bearer tokens for the API.", no_args_is_help=True)


@app.command("create")
def create(
    name: Annotated[str, typer.Option(help="Who or what will use it; shown in the audit log.")],
    scope: Annotated[list[str], typer.Option(help="What it may do; may be repeated.")],
    mode: Annotated[
        list[str] | None, typer.Option(help="Limit it to a status, e.g. Exercise; may be repeated.")
    ] = None,
    config: Config = None,
) -> None:
    """Make a token and print it, alone. It is not kept: only its hash is."""
    modes = frozenset(mode) if mode else None
    sys.stdout.write(asyncio.run(_create(load(config), name, frozenset(scope), modes)) + "\n")


@app.command("list")
def list_(config: Config = None) -> None:
    """Every token, without its secret."""
    table = Table("name", "scopes", "modes", "created", "revoked")
    for t in asyncio.run(_all(load(config))):
        revoked = t.revoked_at.isoformat(timespec="seconds") if t.revoked_at else ""
        modes = " ".join(sorted(t.modes)) if t.modes is not None else "all"
        table.add_row(t.name, " ".join(sorted(t.scopes)), modes, t.created_at.isoformat(timespec="seconds"), revoked)
    show(table)


@app.command("revoke")
def revoke(name: Annotated[str, typer.Argument(show_default=False)], config: Config = None) -> None:
    """End a token at once."""
    asyncio.run(_revoke(load(config), name))
    sys.stdout.write(f"Revoked {name}.\n")


async def _create(settings: Settings, name: str, scopes: frozenset[str], modes: frozenset[str] | None) -> str:
    from alertd.app import open_store
    from alertd.clock import SystemClock

    async with open_store(settings) as store:
        return await Access(store, SystemClock()).create(name, scopes, modes, actor=actor())


async def _all(settings: Settings) -> Sequence[Token]:
    from alertd.app import open_store

    async with open_store(settings) as store:
        tokens: Sequence[Token] = await store.list_tokens()
        return tokens


async def _revoke(settings: Settings, name: str) -> None:
    from alertd.app import open_store
    from alertd.clock import SystemClock

    async with open_store(settings) as store:
        await store.revoke_token(name, actor=actor(), at=SystemClock().now())


def actor() -> str:
    """Who the audit log says did it: the login name of whoever runs the command."""
    try:
        return f"cli:{getpass.getuser()}"
    except (OSError, KeyError):  # a user without a name, as under DynamicUser
        return "cli"
