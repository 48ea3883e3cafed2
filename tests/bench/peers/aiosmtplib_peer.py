"""`python aiosmtplib_peer.py JOB`: aiosmtplib at its best, connections kept and one ready message for all.

JOB is JSON: port, warm_up, count, connections, sender, content (with {to} once). Prints {"seconds"} for `count`.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator

import aiosmtplib


async def main() -> None:
    job = json.loads(sys.argv[1])
    head, _, tail = job["content"].encode().partition(b"{to}")
    clients = [
        aiosmtplib.SMTP(hostname="127.0.0.1", port=job["port"], start_tls=False) for _ in range(job["connections"])
    ]
    await asyncio.gather(*(client.connect() for client in clients))

    async def work(client: aiosmtplib.SMTP, numbers: Iterator[int]) -> None:
        for number in numbers:
            to = f"citizen{number}@example.org"
            await client.sendmail(job["sender"], [to], head + to.encode() + tail)

    async def send(numbers: Iterator[int]) -> None:
        await asyncio.gather(*(work(client, numbers) for client in clients))

    await send(iter(range(job["warm_up"])))
    began = time.perf_counter()
    await send(iter(range(job["warm_up"], job["warm_up"] + job["count"])))
    seconds = time.perf_counter() - began
    await asyncio.gather(*(client.quit() for client in clients))
    print(json.dumps({"seconds": seconds}))


asyncio.run(main())
