"""A subset of the Telegram Bot API: getMe, getChat, sendMessage, editMessageText; refusals in its words."""

import json
import time
from collections.abc import Callable, Mapping

from aiohttp import web

from alertd.sandbox import bot_html
from alertd.sandbox.bot_chats import Chats, Post, reply_target
from alertd.sandbox.bot_limits import Limiter, Rates
from alertd.sandbox.exchange import Response
from alertd.sandbox.faults import Fault, Kind
from alertd.sandbox.http1 import Http1Line, answer
from alertd.sandbox.http_provider import HttpProvider
from alertd.sandbox.ledger import EVERYBODY
from alertd.sandbox.server import HttpServer

_WORDS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 409: "Conflict"}

Params = dict[str, str]


class BotApi(HttpProvider):
    """Recipients are chat ids as the caller writes them.

    `chats` holds what was posted, `edits` counts the changes, `limited` the honest 429s.
    """

    name = "bot"

    def __init__(self, host: str, port: int, *, token: str, rates: Rates | None = None) -> None:
        self.token = token
        self.rates = rates or Rates()
        super().__init__(HttpServer(host, port, [web.route("*", "/bot{token}/{method}", self._call)]))
        self._methods: dict[str, Callable[[Params, float], Response]] = {
            "getme": self._get_me,
            "getchat": self._get_chat,
            "sendmessage": self._send_message,
            "editmessagetext": self._edit_message_text,
        }

    @property
    def base_url(self) -> str:
        return f"http://{self.authority}/bot"

    def read(self, recipient: str) -> object:
        """The chat's last message, without its markup, as edited."""
        posts = self.chats.posts.get(recipient)
        return bot_html.visible(posts[-1].text) if posts else None

    def sums(self) -> Mapping[str, object]:
        return {"edits": self.edits, "limited": self.limited}

    def forget(self) -> None:
        self.chats = Chats()
        self.edits = 0
        self.limited = 0
        self._limiter = Limiter(self.rates, time.monotonic)

    async def _call(self, request: web.Request) -> web.Response:
        params = await _params(request)
        method = self._methods.get(request.match_info["method"].lower())
        if request.match_info["token"] != self.token:
            return answer(_no(401, ""))
        if method is None:
            return answer(_no(404, "method not found"))

        async def take(arrived: float) -> Response:
            return method(params, arrived)

        line = Http1Line(request.transport)
        return answer(await self._stage.play(line, params.get("chat_id", ""), take, _refuse))

    # --- methods --------------------------------------------------------------------------------------------

    def _get_me(self, _params: Params, _arrived: float) -> Response:
        number = int(self.token.partition(":")[0])
        who = {"id": number, "is_bot": True, "first_name": "Sandbox", "username": "alertd_sandbox_bot"}
        return _yes({**who, "can_join_groups": True, "can_read_all_group_messages": False})

    def _get_chat(self, params: Params, _arrived: float) -> Response:
        refusal = self._unreachable(params.get("chat_id", ""))
        if refusal is not None:
            return refusal
        more = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": _NO_GIFTS}
        return _yes({**self.chats.describe(params["chat_id"]), **more})

    def _send_message(self, params: Params, arrived: float) -> Response:
        chat = params.get("chat_id", "")
        refusal = self._unreachable(chat) or _bad_text(params) or self._limited(chat)
        if refusal is not None:
            return refusal
        reply_to, anyway = reply_target(params)
        if reply_to is not None and self.chats.find(chat, reply_to) is None:
            if not anyway:
                return _no(400, "message to be replied not found")
            reply_to = None
        text = params["text"]
        message_id = self.chats.add(chat, Post(text, reply_to))
        self.ledger.took(chat, text.encode(), text.encode(), at=arrived)
        return _yes(self._message(chat, message_id))

    def _edit_message_text(self, params: Params, _arrived: float) -> Response:
        chat = params.get("chat_id", "")
        refusal = self._unreachable(chat) or _bad_text(params) or self._limited(chat)
        if refusal is not None:
            return refusal
        message_id = int(params.get("message_id", "0"))
        post = self.chats.find(chat, message_id)
        if post is None:
            return _no(400, "message to edit not found")
        if post.text == params["text"]:
            return _no(400, "message is not modified: specified new message content is exactly the same")
        post.text = params["text"]
        post.edits += 1
        self.edits += 1
        return _yes(self._message(chat, message_id))

    # --- refusals -------------------------------------------------------------------------------------------

    def _unreachable(self, chat: str) -> Response | None:
        if chat in self.faults.gone:
            return _no(403, "bot was blocked by the user")
        return None if self.chats.exists(chat) else _no(400, "chat not found")

    def _limited(self, chat: str) -> Response | None:
        too_many = self._limiter.admit(chat)
        if too_many is None:
            return None
        self.limited += 1
        self.ledger.announce(too_many.retry_after, chat if too_many.chat_only else EVERYBODY)
        return _refuse(Fault(Kind.STATUS, status=429, retry_after=too_many.retry_after))

    def _message(self, chat: str, message_id: int) -> dict[str, object]:
        post = self.chats.posts[chat][message_id - 1]
        about = {"message_id": message_id, "date": int(time.time()), "chat": self.chats.describe(chat)}
        return {**about, "text": bot_html.visible(post.text)}


_NO_GIFTS = dict.fromkeys(
    ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"), False
)


async def _params(request: web.Request) -> Params:
    """From the query, a form or JSON, as the Bot API takes them; nested values stay JSON."""
    params = dict(request.query)
    if request.content_type == "application/json":
        body = await request.json()
        params |= {k: v if isinstance(v, str) else json.dumps(v) for k, v in body.items()}
    elif request.can_read_body:
        params |= {k: v for k, v in (await request.post()).items() if isinstance(v, str)}
    return params


def _bad_text(params: Params) -> Response | None:
    text = params.get("text", "")
    if params.get("parse_mode", "").upper() == "HTML":
        try:
            text = bot_html.visible(text)
        except bot_html.UnparsableError as error:
            return _no(400, f"can't parse entities: {error}")
    if not text.strip():
        return _no(400, "message text is empty")
    if bot_html.length(text) > bot_html.MAX_TEXT:
        return _no(400, "message is too long")
    return None


def _yes(result: dict[str, object]) -> Response:
    return Response.json({"ok": True, "result": result})


def _no(status: int, why: str, parameters: dict[str, int] | None = None) -> Response:
    words = _WORDS.get(status, "")
    answer: dict[str, object] = {"ok": False, "error_code": status}
    answer["description"] = f"{words}: {why}" if words and why else words or why
    if parameters:
        answer["parameters"] = parameters
    return Response.json(answer, status=status)


def _refuse(fault: Fault) -> Response:
    """The fault in the Bot API's words; the wait goes into `parameters`, not into a header."""
    status = fault.status or 502
    parameters = dict(fault.parameters)
    if fault.retry_after is not None:
        parameters["retry_after"] = fault.retry_after
    if status == 429 and not fault.text:  # noqa: PLR2004
        return _no(429, f"Too Many Requests: retry after {fault.retry_after}", parameters)
    return _no(status, fault.text or ("Bad Gateway" if status >= 500 else "sandbox fault"), parameters)  # noqa: PLR2004
