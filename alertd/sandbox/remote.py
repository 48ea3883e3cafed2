"""The other end of the control door: steering a sandbox in another process."""

from collections.abc import AsyncIterator
from typing import Any, Self

import aiohttp

from alertd.sandbox.control import FAULTS
from alertd.sandbox.description import Description
from alertd.sandbox.faults import Faults


class RemoteSandbox:
    """`async with RemoteSandbox(control_url) as sandbox`. aiohttp.ClientError where it does not answer."""

    def __init__(self, control_url: str) -> None:
        self._base = control_url + "/_sandbox"

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(raise_for_status=True)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.close()

    async def describe(self) -> Description:
        async with self._session.get(self._base) as response:
            return Description.from_json(await response.read())

    async def stats(self) -> dict[str, dict[str, Any]]:
        """The sums by stand-in: push, mail, bot, hook."""
        stats: dict[str, dict[str, Any]] = await self._get("/stats")
        return stats

    async def received(self, provider: str, *, start: int = 0, limit: int = 1_000) -> list[dict[str, Any]]:
        """Recipients in the order they were first reached, each with count, duplicates and last message."""
        rows: list[dict[str, Any]] = await self._get(f"/received/{provider}?start={start}&limit={limit}")
        return rows

    async def arrivals(self, provider: str) -> list[float]:
        """Seconds of time.monotonic, comparable on one Linux machine."""
        times: list[float] = await self._get(f"/arrivals/{provider}")
        return times

    async def early(self, provider: str, *, grace: float = 0.1) -> list[dict[str, Any]]:
        """The requests inside an announced Retry-After."""
        rows: list[dict[str, Any]] = await self._get(f"/early/{provider}?grace={grace}")
        return rows

    async def subscriptions(self, count: int, start: int = 0) -> AsyncIterator[str]:
        """Push subscriptions as JSON texts, streamed."""
        url = f"{self._base}/subscriptions?count={count}&start={start}"
        async with self._session.get(url) as response:
            async for line in response.content:
                yield line.decode().strip()

    async def set_faults(self, **by_provider: Faults) -> None:
        """Those named change, the others stay."""
        async with self._session.put(self._base + "/faults", data=FAULTS.dump_json(by_provider)):
            pass

    async def clear_faults(self) -> None:
        async with self._session.delete(self._base + "/faults"):
            pass

    async def reset(self) -> None:
        """Forget what was received, all well again."""
        async with self._session.post(self._base + "/reset"):
            pass

    async def _get(self, path: str) -> Any:
        async with self._session.get(self._base + path) as response:
            return await response.json()
