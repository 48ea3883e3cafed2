"""Putting together what a channel sends with, and taking it apart again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from typing import Final

import aiohttp
from yarl import URL

from adapters.exchange import Failure, Reply, open_session, post, tls_context
from adapters.guard import HostList, guarded_connector, public_or_listed
from adapters.webpush.config import WebPushConfig
from adapters.webpush.deriving import Deriver
from adapters.webpush.dispatch import Means
from adapters.webpush.loading import Loader
from adapters.webpush.magazine import Magazine
from adapters.webpush.pipes import Fallback, Pipes, Profile
from adapters.webpush.status import KeyProof
from adapters.webpush.vapid import Tokens
from alertd.ports.adapter import Tools
from alertd.ports.clock import Clock

WARM_EVERY: Final = 60.0
"""Seconds between looks whether the services most people use have a connection open."""

Sending = Callable[[], AbstractContextManager[None]]


@asynccontextmanager
async def opened(config: WebPushConfig, tools: Tools, tokens: Tokens) -> AsyncIterator[tuple[Means, Sending]]:
    """The means, and what is to be entered around each page. All of it is closed on the way out."""
    permit = public_or_listed(config.allow_private)
    # Two contexts: one offers h2, the library's client must not.
    tls, plain = [await asyncio.to_thread(tls_context, config.ca_file) for _ in range(2)]
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session(guarded_connector(permit, plain)))
        pipes = Pipes(
            tls,
            permit,
            tools.clock,
            timeout=config.timeout,
            connections=config.connections,
            fallback=_fallback(session),
        )
        stack.push_async_callback(pipes.close)
        deriver = Deriver(tools.log)
        stack.push_async_callback(deriver.close)
        hosts, proof = HostList(config.allow_hosts), KeyProof()
        if not config.envelopes:
            yield Means(pipes, _none_ready, deriver, tokens, hosts, tools.clock, config.timeout, proof), nullcontext
            return
        magazine = Magazine(config.envelopes)
        stack.callback(magazine.clear)
        loader = Loader(magazine, tools, tokens)
        means = Means(pipes, magazine.take, deriver, tokens, hosts, tools.clock, config.timeout, proof)
        async with _beside(loader.run()), _beside(_keep_warm(pipes, loader, hosts, tools.clock)):
            yield means, loader.sending


def _fallback(session: aiohttp.ClientSession) -> Fallback:
    async def send(origin: str, path: bytes, profile: Profile, body: bytes, within: float) -> Reply | Failure:
        url = URL(f"https://{origin.removesuffix(':443')}{path.decode()}", encoded=True)
        headers = {name.decode(): value.decode() for name, value in profile.headers}
        return await post(session, url, body=body, headers=headers, within=within)

    return send


def _none_ready(_endpoint_id: int, _address: str) -> None:
    """Where no envelopes are kept."""


async def _keep_warm(pipes: Pipes, loader: Loader, hosts: HostList, clock: Clock) -> None:
    while True:
        for origin in loader.origins:
            if hosts.allows(origin):
                await pipes.warm(origin)
        await clock.sleep(WARM_EVERY)


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait((task,))
