"""Enrol, send, follow: the demo as a client of the daemon, through nothing but its HTTP API."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress

from alertd.cli.client import Body, Client
from alertd.cli.compose import now
from alertd.cli.demo.citizens import census, import_lines
from alertd.cli.demo.exercise import exercise
from alertd.cli.demo.stand import Stand
from alertd.cli.errors import Failure
from alertd.cli.progress import shown
from alertd.cli.receipts import AlertReceipts, as_table

_SHOWN_ERRORS = 5
_CHUNK = 200


@dataclass(frozen=True, slots=True)
class Drill:
    """`enrolled` says how many endpoints each addressed channel has; `accept_ms` is POST to 202 as we saw it."""

    enrolled: dict[str, int]
    accept_ms: float
    receipts: AlertReceipts


async def drill(client: Client, stand: Stand, citizens: int, console: Console) -> Drill:
    """The whole drill, shown as it goes."""
    enrolled = census(citizens)
    split = ", ".join(f"{channel} {count:,}" for channel, count in enrolled.items())
    console.print(f"Enrolling {citizens:,} citizens with {sum(enrolled.values()):,} endpoints: {split}")
    await _enrol(client, stand, citizens, enrolled["push"], console)
    began = time.perf_counter()
    accepted = await client.post("/v1/alerts", Body.of(exercise(now())), idempotency_key="demo")
    accept_ms = (time.perf_counter() - began) * 1000
    console.print(f"Exercise {accepted['id']} accepted, on disk, in {accept_ms:.1f} ms")
    receipts = await shown(client, accepted["id"], console)
    console.print(as_table(receipts))
    if (first := receipts.first_attempt_ms) is not None:
        console.print(f"First attempt {first:.0f} ms after acceptance.")
    return Drill(enrolled, accept_ms, receipts)


async def _enrol(client: Client, stand: Stand, citizens: int, pushes: int, console: Console) -> None:
    began = time.perf_counter()
    lines = import_lines(citizens, stand.subscriptions(pushes), _zones(stand))
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("enrolling", total=citizens)

        async def chunks() -> AsyncIterator[bytes]:
            kept: list[bytes] = []
            async for line in lines:
                kept.append(line)
                if len(kept) == _CHUNK:
                    yield b"".join(kept)
                    progress.advance(task, len(kept))
                    kept.clear()
            yield b"".join(kept)

        answer = await client.stream("/v1/subscribers/import", chunks(), "application/x-ndjson")
    if answer["created"] != citizens:
        errors = "\n".join(f"  line {e['line']}: {e['msg']}" for e in answer["errors"][:_SHOWN_ERRORS])
        raise Failure(f"Only {answer['created']:,} of {citizens:,} citizens could be enrolled:\n{errors}")
    console.print(f"Enrolled in {time.perf_counter() - began:.1f} s")


def _zones(stand: Stand) -> list[str]:
    from alertd.settings import load
    from alertd.territory import load_territory

    return [zone.code for zone in load_territory(load(stand.config, environ={}).zones).zones]
