"""The Telegram channel: one post for all readers of a chat, or one message per subscriber."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from telegram import Bot, LinkPreviewOptions, ReplyParameters
from telegram.constants import ParseMode
from telegram.error import TelegramError

from adapters.telegram.compose import MAX_LENGTH, Post, compose
from adapters.telegram.config import TelegramConfig, chat_number
from adapters.telegram.limited import Limited
from adapters.telegram.quiet import discretion
from adapters.telegram.request import BotRequest, Refusal, Unreadable
from adapters.telegram.verdicts import of_error
from alertd.domain.delivery import Accepted, Reason, Refused, Retry, State, Verdict
from alertd.ports.adapter import Health, Message, Notice, Page, Parcel, Settle, Tools, Traits

_NO_PREVIEW = LinkPreviewOptions(is_disabled=True)
_PORTS = {"https": 443, "http": 80}
_MESSAGE_ID = re.compile(r"[1-9][0-9]{0,9}")
_LARGEST_ID = 2**31  # the Bot API: an Integer field fits into 32 bits with sign unless it says otherwise
# What the library raises on an odd "result"; the last two on an odd date.
_NOT_A_MESSAGE = (KeyError, TypeError, ValueError, AttributeError, OverflowError, OSError)


class TelegramAdapter:
    """An open Telegram channel."""

    name: ClassVar[str] = "telegram"
    Config: ClassVar[type[TelegramConfig]] = TelegramConfig

    def __init__(self, config: TelegramConfig, tools: Tools, bot: Bot) -> None:
        self.traits = self.traits_of(config)
        self._config = config
        self._tools = tools
        self._bot = bot
        self._origin = _host(config)
        self._limited = Limited()

    @staticmethod
    def traits_of(config: TelegramConfig) -> Traits:
        """Not idempotent: Telegram shows a repeat twice. Small pages, so that an emergency overtakes soon."""
        return Traits(
            addressed=config.chat_id is None,
            provable=State.ACCEPTED,
            idempotent=False,
            max_length=MAX_LENGTH,
            formats=frozenset({"html"}),
            page_size=30,
            rate=config.rate,
            concurrency=config.concurrency,
            budget=_budget(config),
        )

    @staticmethod
    def normalize(config: TelegramConfig, address: str) -> str:  # noqa: ARG004 - the contract's signature
        """A subscriber's chat id; a channel's @name is for the configuration only."""
        return str(chat_number(address))

    @staticmethod
    def public_facts(config: TelegramConfig, state: Path) -> Mapping[str, str]:  # noqa: ARG004 - the contract's
        return {}

    @staticmethod
    @asynccontextmanager
    async def open(channel: str, config: TelegramConfig, tools: Tools) -> AsyncIterator["TelegramAdapter"]:  # noqa: ARG004
        """Connections are made when the first message needs them, and all closed on the way out.

        The core keeps the bot's rate (`Traits.budget`); the library's limiter would wait in the order of arrival,
        where an emergency does not go first.
        """
        token = config.token.get_secret_value()
        with discretion(token):
            request = BotRequest(config)
            try:
                bot = Bot(token, base_url=config.base_url, request=request, get_updates_request=request)
                yield TelegramAdapter(config, tools, bot)
            finally:
                await request.shutdown()

    def render(self, notice: Notice) -> Message:
        post = compose(notice)
        return Message(notice=notice, preview=post.plain, payload=post)

    def origin(self, address: str) -> str:  # noqa: ARG002 - the contract's signature
        """The Bot API's host, whatever the chat."""
        return self._origin

    async def send(self, page: Page, settle: Settle) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self._config.concurrency):
                group.create_task(self._work(page, page.message.payload, settle))

    async def check(self) -> Health:
        """getMe, and getChat of the one chat where there is one."""
        try:
            me = await self._bot.get_me()
            if self._config.chat_id is not None:
                await self._bot.get_chat(self._config.chat_id)
        except (Refusal, Unreadable) as answer:
            return Health(ready=False, detail=f"the Bot API says: {answer.message}")
        except TelegramError as fault:
            cause = type(fault.__cause__ or fault).__name__
            return Health(ready=False, detail=f"the Bot API cannot be reached ({cause})")
        except Exception as fault:  # noqa: BLE001 - the readiness board must not fall over a surprise
            return Health(ready=False, detail=f"the Bot API's answer is a surprise ({type(fault).__name__})")
        return Health(ready=True, detail=f"the bot is @{me.username}", facts={"bot": me.username or ""})

    async def _work(self, page: Page, post: Post, settle: Settle) -> None:
        while parcels := await page.take():
            for parcel in parcels:
                settle(parcel.delivery_id, await self._send_one(post, parcel))

    async def _send_one(self, post: Post, parcel: Parcel) -> Verdict:
        if self._tools.clock.now() >= parcel.deadline:
            return Refused(Reason.EXPIRED)
        try:
            verdict = await self._attempt(post, self._chat(parcel), parcel.thread)
        except TelegramError as error:
            return self._of_error(error, parcel)
        except ValueError:
            return Refused(Reason.BAD_ADDRESS)
        self._limited.served()
        return verdict

    def _of_error(self, error: TelegramError, parcel: Parcel) -> Verdict:
        verdict = of_error(error, broadcast=not self.traits.addressed)
        if isinstance(verdict, Retry) and verdict.reason is Reason.RATE_LIMITED and self.traits.addressed:
            return replace(verdict, hold=self._limited.refused(parcel.address))
        return verdict

    async def _attempt(self, post: Post, chat: int | str, thread: str | None) -> Verdict:
        """Post, and follow a group that became a supergroup.

        Its new id is told in the refusal of the old one. Nothing was sent there, so going on at once is the same
        attempt, and is done once.
        """
        try:
            return await self._post(post, chat, thread)
        except Refusal as refusal:
            if refusal.migrate_to is None:
                raise
            moved_to = refusal.migrate_to
        if not self.traits.addressed:
            self._tools.log.warning("the group has become a supergroup: its chat_id must be configured anew")
        return await self._post(post, moved_to, None)

    def _chat(self, parcel: Parcel) -> int | str:
        """ValueError where the parcel was made for the other kind of channel, as when chat_id came or went while it
        was queued: one citizen's message must never be posted to all.

        What tells a broadcast parcel is that it has neither endpoint nor address; a confirmation has an address, but
        its endpoint does not exist yet.
        """
        configured = self._config.chat_id
        if configured is None:
            return chat_number(parcel.address)
        if parcel.endpoint_id != 0 or parcel.address:
            raise ValueError("an addressed parcel on a broadcast channel")
        return configured

    async def _post(self, post: Post, chat: int | str, thread: str | None) -> Verdict:
        try:
            message = await self._bot.send_message(
                chat,
                post.html,
                parse_mode=ParseMode.HTML,
                link_preview_options=_NO_PREVIEW,
                disable_notification=post.silent,
                reply_parameters=_reply_to(thread),
            )
            return Accepted(_ref(message.message_id))
        except _NOT_A_MESSAGE:
            return Retry(Reason.BROKEN)  # "ok", but what it calls the message cannot be read


def _host(config: TelegramConfig) -> str:
    url = urlsplit(config.base_url)
    return f"{url.hostname}:{url.port or _PORTS[url.scheme]}"


def _budget(config: TelegramConfig) -> str:
    """Which bot it is, for its limit is one for all its channels: the number before the colon, which is no secret."""
    bot, _, _secret = config.token.get_secret_value().partition(":")
    return f"telegram:{bot}@{_host(config)}"


def _reply_to(thread: str | None) -> ReplyParameters | None:
    """An Update or a Cancel answers the earlier message; where that was deleted it stands alone."""
    if thread is None or _MESSAGE_ID.fullmatch(thread) is None or int(thread) >= _LARGEST_ID:
        return None
    return ReplyParameters(int(thread), allow_sending_without_reply=True)


def _ref(message_id: object) -> str | None:
    """None where it is no number that could be answered to: the message was taken all the same."""
    fits = isinstance(message_id, int) and not isinstance(message_id, bool) and 0 < message_id < _LARGEST_ID
    return str(message_id) if fits else None
