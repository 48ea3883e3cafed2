"""Imported by the fork server alone: brings a daemon to life once, asks it something and takes it down again, so that every
lazy import has happened and every cache is warm before the first fork. Nothing stays open."""

import asyncio
import contextlib
import gc
import io
import tempfile
from pathlib import Path

import aiohttp

import alertd.cli
import alertd.daemon  # noqa: F401
from alertd.app import build
from alertd.daemon import living
from alertd.notify import Notifier
from alertd.sandbox.sandbox import Sandbox
from alertd.settings import load
from tests.acceptance.place import BOT, MAIL, PUSH, channels_of
from tests.acceptance.town import Town


async def _rehearse(folder: Path) -> None:
    async with Sandbox(folder / "sandbox") as sandbox:
        town = Town(folder, channels_of(sandbox, (PUSH, MAIL, BOT), None))
        async with build(load(town.config, environ={})) as house, living(house, Notifier(None)):
            async with aiohttp.ClientSession() as session, session.get(f"{town.url}/healthz") as answer:
                assert answer.status == 200


with tempfile.TemporaryDirectory() as _folder, contextlib.redirect_stdout(io.StringIO()):
    asyncio.run(_rehearse(Path(_folder)))
gc.collect()
gc.freeze()  # so that looking for garbage copies no page of what is shared
