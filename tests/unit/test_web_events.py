"""Server-Sent Events over a real connection: what is told, and that nothing stays behind."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import httpx
import pytest
import uvicorn

from alertd.domain.alert import AlertState
from alertd.domain.problems import Unavailable
from alertd.web.api.events import HEARTBEAT
from tests.unit.web_fakes import Web, make_web, stored_alert, tally


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(web: Web) -> AsyncIterator[str]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        config = uvicorn.Config(web.app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=5)
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[sock]))
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            server.should_exit = True
            web.app.state.streams.close()
            async with asyncio.timeout(180):
                await task


@pytest.fixture
def web() -> Web:
    web = make_web()
    web.store.alerts["a1"] = stored_alert()
    web.store.sums["a1"] = (tally(queued=2, planned=False),)
    return web


@asynccontextmanager
async def listening(web: Web, url: str) -> AsyncIterator[AsyncIterator[str]]:
    headers = web.tokens.grant("anna", "alerts:read")
    async with (
        httpx.AsyncClient(headers=headers, timeout=60, trust_env=False, verify=False) as client,
        client.stream("GET", f"{url}/v1/alerts/a1/events") as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/event-stream"
        assert "content-length" not in answer.headers
        yield answer.aiter_lines()


async def event(lines: AsyncIterator[str]) -> list[str]:
    """The lines up to the next blank one."""
    found = []
    async with asyncio.timeout(180):
        async for line in lines:
            if not line:
                break
            found.append(line)
    return found


async def until(condition) -> None:
    async with asyncio.timeout(180):
        while not condition():
            await asyncio.sleep(0.001)


def streaming() -> list[asyncio.Task]:
    return [task for task in asyncio.all_tasks() if "ReceiptStream" in repr(task.get_coro())]


async def test_progress_then_done(web: Web) -> None:
    async with serving(web) as url, listening(web, url) as lines:
        first = await event(lines)
        assert first[0] == "event: progress"
        assert '"queued":2' in first[1]
        web.store.alerts["a1"] = stored_alert(state=AlertState.COMPLETE)
        web.store.sums["a1"] = (tally(accepted=2),)
        await until(lambda: web.clock._sleepers)
        web.bells.changed("a1")
        web.clock.advance(0.2)
        second, last = await event(lines), await event(lines)
        assert second[0] == "event: progress"
        assert last == ["event: done", second[1]]
        assert await event(lines) == []
    assert not web.bells._watchers


async def test_an_ended_alert_is_told_once_and_done(web: Web) -> None:
    web.store.alerts["a1"] = stored_alert(state=AlertState.COMPLETE)
    web.store.sums["a1"] = (tally(accepted=2),)
    async with serving(web) as url, listening(web, url) as lines:
        assert [(await event(lines))[0] for _ in range(2)] == ["event: progress", "event: done"]


async def test_a_quiet_stream_has_a_heartbeat(web: Web) -> None:
    async with serving(web) as url, listening(web, url) as lines:
        await event(lines)
        for _ in range(2):
            await until(lambda: any(due >= web.clock.time + HEARTBEAT for due, _ in web.clock._sleepers))
            web.clock.advance(HEARTBEAT)
            assert (await event(lines))[0].startswith(":")


async def test_a_reader_who_leaves_leaves_no_task(web: Web) -> None:
    async with serving(web) as url:
        for _ in range(3):
            async with listening(web, url) as lines:
                await event(lines)
                assert streaming()
            await until(lambda: not streaming() and not web.bells._watchers and not web.clock._sleepers)


async def test_a_daemon_that_stops_ends_every_stream_without_saying_done(web: Web) -> None:
    async with serving(web) as url, listening(web, url) as lines:
        await event(lines)
        web.app.state.streams.close()
        assert await event(lines) == []
        async with listening(web, url) as late:
            assert "event: done" not in await event(late)
    assert not streaming()


async def test_a_store_that_fails_ends_the_stream_quietly(web: Web) -> None:
    async with serving(web) as url, listening(web, url) as lines:
        await event(lines)
        await until(lambda: web.clock._sleepers)
        web.store.broken = Unavailable("busy")
        web.bells.changed("a1")
        web.clock.advance(0.2)
        assert await event(lines) == []


async def test_an_unknown_alert_is_404_before_any_event(web: Web) -> None:
    async with web.client(web.tokens.grant("anna", "alerts:read")) as client:
        answer = await client.get("/v1/alerts/nope/events")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
