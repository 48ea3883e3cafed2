"""For the plain adapter: a `send_one(parcel) -> Verdict` becomes a `send(page, settle)`."""

import asyncio
from collections.abc import Awaitable, Callable

from alertd.domain.delivery import Reason, Retry, Verdict
from alertd.ports.adapter import Page, Parcel, Settle

SendOne = Callable[[Parcel], Awaitable[Verdict]]


async def one_by_one(page: Page, settle: Settle, send_one: SendOne, *, concurrency: int, timeout: float) -> None:
    """Work on up to `concurrency` parcels at once, each for at most `timeout` seconds.

    A parcel past its time is Retry(TIMEOUT): the outcome is unknown.
    """

    async def worker() -> None:
        while parcels := await page.take():
            for parcel in parcels:
                settle(parcel.delivery_id, await _within(timeout, send_one, parcel))

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(worker())


async def _within(timeout: float, send_one: SendOne, parcel: Parcel) -> Verdict:
    try:
        async with asyncio.timeout(timeout):
            return await send_one(parcel)
    except TimeoutError:
        return Retry(Reason.TIMEOUT)
