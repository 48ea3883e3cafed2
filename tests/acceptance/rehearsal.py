"""Imported by the fork server alone: builds a daemon once and takes it down again, so that every lazy import has
happened and every cache is warm before the first fork. Nothing stays open."""

import asyncio
import tempfile
from pathlib import Path

import adapters.email
import adapters.telegram
import adapters.webhook
import adapters.webpush.adapter  # noqa: F401
import alertd.cli
import alertd.daemon  # noqa: F401
from alertd.app import build
from alertd.settings import load

_CHANNELS = """
[service]
state = "{state}"
[channels.push]
adapter = "webpush"
[channels.mail]
adapter = "email"
from = "a@example.org"
host = "127.0.0.1"
port = 9
"""


async def _rehearse(folder: Path) -> None:
    file = folder / "alertd.toml"
    file.write_text(_CHANNELS.format(state=folder / "state"))
    async with build(load(file, environ={})) as house:
        assert house.web is not None


with tempfile.TemporaryDirectory() as _folder:
    asyncio.run(_rehearse(Path(_folder)))
