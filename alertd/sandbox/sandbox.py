"""All stand-ins in one `async with`."""

import base64
import hmac
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from alertd.sandbox.bot import BotApi
from alertd.sandbox.bot_limits import Rates
from alertd.sandbox.control import Control
from alertd.sandbox.description import Description
from alertd.sandbox.hook import HookReceiver
from alertd.sandbox.mail import MailServer
from alertd.sandbox.provider import Provider
from alertd.sandbox.push import PushService
from alertd.sandbox.server import HttpServer
from alertd.sandbox.tls import make_tls


@dataclass(frozen=True, slots=True)
class Options:
    """`port_base` 0: any free ports; else control, push, bot, hook and mail take it and the next four.

    The same `seed` gives the same subscriptions, token and secret, so that a restart is known as before. Without
    `http2` the push service speaks HTTP/1.1 alone, as a proxy before a real one may.
    """

    host: str = "127.0.0.1"
    port_base: int = 0
    seed: bytes = b"alertd sandbox"
    rates: Rates = field(default_factory=Rates)
    mail_tls: str = "none"
    mail_login: tuple[str, str] | None = None
    http2: bool = True


class Sandbox:
    """`async with Sandbox(folder) as sandbox`: the stand-ins, the control door, the files a daemon needs."""

    description: Description

    def __init__(self, folder: Path, options: Options | None = None) -> None:
        self._folder = folder
        self._options = options = options or Options()
        folder.mkdir(parents=True, exist_ok=True)
        self._tls = make_tls(folder)
        host, seed = options.host, options.seed
        self.push = PushService(host, self._port(1), self._tls.server(), seed=seed, http2=options.http2)
        self.bot = BotApi(host, self._port(2), token=_token(seed), rates=options.rates)
        self.hook = HookReceiver(host, self._port(3), secret=_hook_secret(seed))
        self.mail = MailServer(
            host, self._port(4), tls=options.mail_tls, context=self._tls.server(), login=options.mail_login
        )
        self.providers: dict[str, Provider] = {p.name: p for p in (self.push, self.mail, self.bot, self.hook)}
        control = Control(self.providers, self.push, lambda: self.description)
        self._door = HttpServer(host, self._port(0), control.routes())
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for provider in self.providers.values():
                await stack.enter_async_context(provider)
            await stack.enter_async_context(self._door)
            self.description = self._describe()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    def stats(self) -> dict[str, dict[str, object]]:
        return {name: provider.stats() for name, provider in self.providers.items()}

    @property
    def connections(self) -> int:
        """How many clients' connections are up now."""
        return sum(provider.connections for provider in self.providers.values())

    def clear(self) -> None:
        for provider in self.providers.values():
            provider.clear()

    def _port(self, offset: int) -> int:
        return self._options.port_base + offset if self._options.port_base else 0

    def _describe(self) -> Description:
        host = self._options.host
        return Description(
            control_url=f"http://{host}:{self._door.port}",
            ca_file=str(self._tls.ca_file),
            push_origin=self.push.origin,
            mail_host=host,
            mail_port=self.mail.port,
            mail_tls=self.mail.tls,
            bot_base_url=self.bot.base_url,
            bot_token=self.bot.token,
            bot_token_file=self._keep("bot-token", self.bot.token),
            hook_url=self.hook.url,
            hook_secret=self.hook.secret,
            hook_secret_file=self._keep("hook-secret", self.hook.secret),
        )

    def _keep(self, name: str, secret: str) -> str:
        path = self._folder / name
        path.touch(mode=0o600)
        path.write_text(secret)
        return str(path)


def _token(seed: bytes) -> str:
    return "1000000001:" + base64.urlsafe_b64encode(hmac.digest(seed, b"bot", "sha256")).decode().rstrip("=")


def _hook_secret(seed: bytes) -> str:
    return "whsec_" + base64.b64encode(hmac.digest(seed, b"hook", "sha256")[:24]).decode()
