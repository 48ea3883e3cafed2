"""The life of the daemon: start in order, stop in order and within bounds."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import uvicorn
import uvloop

from alertd.app import House, build
from alertd.core.access import SCOPES
from alertd.current import specs
from alertd.identity import keep
from alertd.logs import configure
from alertd.notify import Notifier, inherited_sockets, watchdog_interval
from alertd.ports.failpoint import BOUNDARIES, Failpoint, nothing
from alertd.reloading import reload_on
from alertd.settings import Settings, load_to_start
from alertd.storage.store import Store

DRAIN = 20.0
"""Seconds given to what is in flight when the daemon stops; then it is cut off, its outcome unknown."""

FLUSH = 10.0
OPENING = 10.0
BACKLOG = 2_048
_SELDOM = (20_000, 10, 10)
"""Allocations between two looks for garbage: a page in flight is thousands of objects, none of them in a cycle."""


def main(config: Path | None) -> int:
    """Run until SIGTERM or SIGINT; 0 after an orderly stop, 1 when a part of the core died.

    Raises ConfigError and StoreBusy before anything has started.
    """
    os.umask(0o077)  # the store holds addresses, wherever it is kept
    configure(os.environ.get("ALERTD_LOG", "info"))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(serve(load_to_start(config), config))


async def serve(settings: Settings, config: Path | None = None) -> int:
    """The daemon in the running loop."""
    notifier = Notifier(os.environ.get("NOTIFY_SOCKET"))
    with _signals() as (stop, reload):
        async with build(settings, failpoint=_failpoint(os.environ.get("ALERTD_FAILPOINT", ""))) as house:
            async with living(house, notifier) as core:
                watcher = asyncio.create_task(reload_on(reload, house, config, notifier))
                stopped = asyncio.create_task(stop.wait())
                done, _ = await asyncio.wait({stopped, *core}, return_when=asyncio.FIRST_COMPLETED)
                watcher.cancel()
                notifier.stopping()
            return _verdict(house, done - {stopped})


@asynccontextmanager
async def living(house: House, notifier: Notifier) -> AsyncIterator[list[asyncio.Task[Any]]]:
    """Start in order; on the way out refuse new work, stop planning, drain, flush, close."""
    sockets = inherited_sockets() or [_bind(house.current.settings)]
    recovered = await house.sweeper.start()
    if recovered:
        house.fittings.log.warning("queued again what was in flight when the last daemon ended", deliveries=recovered)
    server = _Server(_server_config(house))
    settling = asyncio.create_task(house.settler.run(), name="settler")
    watching = asyncio.create_task(house.vigil.run(), name="vigil")
    await house.channels.apply(specs(house.current.settings))
    planning = asyncio.create_task(house.planner.run(), name="planner")
    sweeping = asyncio.create_task(house.sweeper.run(), name="sweeper")
    paging = asyncio.create_task(house.pager.run(), name="pager")
    await house.channels.opened(OPENING)
    await _bootstrap(house)
    await house.desk.start(house.current.settings.ingest.rules)
    await _listen(house)
    judging = asyncio.create_task(house.desk.run(), name="desk")
    listening = asyncio.create_task(house.sources.run(), name="sources")
    missing = asyncio.create_task(house.silences.run(), name="silent sources")
    serving = asyncio.create_task(server.serve(sockets=sockets), name="server")
    beating = asyncio.create_task(_beat(notifier, house.store), name="watchdog")
    core = [settling, watching, planning, sweeping, paging, judging, listening, missing, serving]
    try:
        _announce(house, sockets)
        _leave_alone_what_stays()
        notifier.ready()
        yield core
    finally:
        house.fittings.readiness.stop()
        server.should_exit = True
        house.web.state.streams.close()
        for task in (judging, listening, missing):
            task.cancel()
        await house.sources.close()
        await house.desk.keep()
        for task in (planning, sweeping, paging):
            task.cancel()
        await house.channels.close(DRAIN)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(house.settler.drained(), FLUSH)
        for task in (settling, watching, beating):
            task.cancel()
        await asyncio.gather(*core, beating, return_exceptions=True)


async def _listen(house: House) -> None:
    """A source that fails before it has begun keeps nobody from warning."""
    try:
        await house.sources.apply(house.current.settings.ingest.sources.values())
    except Exception:
        house.fittings.log.exception("not every source is heard")
        house.fittings.readiness.concern("sources begun", "a fault keeps sources from being heard")


def _leave_alone_what_stays() -> None:
    """Modules, routes and boundaries live as long as we do; looking through them for garbage stops the loop for a
    tenth of a second, and would begin in the middle of a fan-out."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_SELDOM)


def _verdict(house: House, died: set[asyncio.Task[Any]]) -> int:
    for task in died:
        house.fittings.log.critical("a part of the daemon died", part=task.get_name(), exc_info=task.exception())
    return 1 if died else 0


# --- the server ----------------------------------------------------------------


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: how the daemon stops is ours to order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server_config(house: House) -> uvicorn.Config:
    return uvicorn.Config(
        house.web,
        loop="none",
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=5,
    )


def _bind(settings: Settings) -> socket.socket:
    """Listen before anything starts, so that a taken address is one clear error."""
    family = socket.AF_INET6 if ":" in settings.api.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # asyncio sets TCP_NODELAY only where told
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((settings.api.host, settings.api.port))
    except OSError as error:
        sock.close()
        raise OSError(f"cannot listen on {settings.api.listen} (key api.listen): {error.strerror}") from None
    sock.listen(BACKLOG)
    sock.setblocking(False)  # noqa: FBT003  the socket module takes no keyword
    return sock


def _announce(house: House, sockets: list[socket.socket]) -> None:
    addresses = [_address(sock) for sock in sockets]
    house.fittings.log.info("listening", addresses=addresses, channels=list(house.channels.names))


def _address(sock: socket.socket) -> str:
    name = sock.getsockname()
    return name if isinstance(name, str) else f"http://{name[0]}:{name[1]}"


async def _bootstrap(house: House) -> None:
    """With no token at all there would be no way in: make one, print it once, keep it for the operator."""
    if await house.store.list_tokens():
        return
    secret = await house.access.create("bootstrap", frozenset(SCOPES), None, actor="alertd")
    path = house.current.settings.state / "bootstrap-token"
    keep(path, f"{secret}\n".encode())
    sys.stdout.write(f"bootstrap admin token (also in {path}): {secret}\n")
    sys.stdout.flush()


async def _beat(notifier: Notifier, store: Store) -> None:
    """Alive is a loop that turns and a store that writes."""
    interval = watchdog_interval()
    while interval is not None:
        if store.alive():
            notifier.watchdog()
        await asyncio.sleep(interval)


# --- signals and failpoints ----------------------------------------------------


@contextmanager
def _signals() -> Iterator[tuple[asyncio.Event, asyncio.Event]]:
    """(stop, reload): SIGTERM and SIGINT set the first, SIGHUP the second."""
    loop = asyncio.get_running_loop()
    stop, hangup = asyncio.Event(), asyncio.Event()
    handled = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: hangup}
    for number, event in handled.items():
        loop.add_signal_handler(number, event.set)
    try:
        yield stop, hangup
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _failpoint(wanted: str) -> Failpoint:
    """`boundary:n` kills this process, as a power cut would, the n-th time the road crosses that boundary."""
    boundary, _, count = wanted.partition(":")
    if boundary not in BOUNDARIES or not count.isdigit():
        return nothing
    left = int(count)

    def crossing(name: str) -> None:
        nonlocal left
        if name == boundary:
            left -= 1
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return crossing
