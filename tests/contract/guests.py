"""Who takes the contract suite: each adapter with the stand-in it speaks to and the answers it must understand."""

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from alertd.domain.delivery import Accepted, Gone, Halt, Hold, Reason, Refused, Retry, Verdict
from alertd.ports.adapter import AdapterType
from alertd.sandbox.config import channels
from alertd.sandbox.fake import FakeProvider
from alertd.sandbox.faults import Fault, Kind, Phase
from alertd.sandbox.sandbox import Options, Sandbox

TIMEOUT = 0.6  # what a hasty adapter is configured to wait, in seconds
PATIENT = 30.0  # and any other


@dataclass(frozen=True)
class Answer:
    """What a provider says, and what an adapter must make of it."""

    name: str
    fault: Fault
    verdict: Verdict


@dataclass(frozen=True)
class Guest:
    """`address(i, sandbox)` is the i-th citizen's endpoint and `recipient(i)` what the stand-in calls it."""

    name: str
    adapter: str
    channel: str
    addressed: bool
    answers: tuple[Answer, ...]
    address: Callable[[int, Sandbox], str] = lambda i, sandbox: ""
    recipient: Callable[[int], str] = str
    bad_addresses: tuple[str, ...] = ()
    changes: Mapping[str, Any] = field(default_factory=dict)
    asks_before_sending: bool = True  # check() speaks to the provider
    options: Options = field(default_factory=Options)  # of the stand-ins

    def type(self) -> AdapterType:
        module, _, name = self.adapter.partition(":")
        found: AdapterType = getattr(importlib.import_module(module), name)
        return found

    def config(self, sandbox: Sandbox, fake: FakeProvider, *, timeout: float = PATIENT) -> Any:
        """The channel's configuration, secrets read from their files as the settings do."""
        if self.name == "fake":
            return self.type().Config.model_validate({"provider": fake, "timeout": timeout})
        table = {key: _read(value) for key, value in channels(sandbox.description)[self.channel].items()}
        for ours in ("adapter", "exercise"):
            table.pop(ours, None)
        return self.type().Config.model_validate({**table, "timeout": timeout, **self.changes})


def _read(value: object) -> object:
    return Path(value["file"]).read_text() if isinstance(value, dict) else value


def says(status: int, verdict: Verdict, text: str = "", **more: Any) -> Answer:
    """An answer in place of the ordinary one."""
    name = "-".join([str(status), *text.split()[:4], *(f"{k}={v}" for k, v in more.items())])
    return Answer(name, Fault(Kind.STATUS, status=status, text=text, **more), verdict)


UNAVAILABLE = Retry(Reason.UNAVAILABLE)
BROKEN = Retry(Reason.BROKEN)
DEFERRED = Retry(Reason.DEFERRED)
BAD_REQUEST = Refused(Reason.BAD_REQUEST)
TOO_LARGE = Refused(Reason.TOO_LARGE)
CREDENTIALS = Halt(Reason.CREDENTIALS)
POLICY = Halt(Reason.POLICY)
GONE = Gone(Reason.UNSUBSCRIBED)
RCPT, CONNECT = Phase.RCPT, Phase.CONNECT

FAKE = Guest(
    name="fake",
    adapter="alertd.sandbox.fake:FakeAdapter",
    channel="fake",
    addressed=True,
    address=lambda i, sandbox: f"citizen{i}",
    recipient=lambda i: f"citizen{i}",
    bad_addresses=("", "two words"),
    asks_before_sending=False,
    answers=(
        says(400, BAD_REQUEST),
        says(401, CREDENTIALS),
        says(403, CREDENTIALS),
        says(404, GONE),
        says(408, Retry(Reason.TIMEOUT)),
        says(410, GONE),
        says(413, TOO_LARGE),
        says(429, Retry(Reason.RATE_LIMITED, 7, Hold.CHANNEL), retry_after=7),
        says(500, UNAVAILABLE),
        says(503, Retry(Reason.UNAVAILABLE, 7), retry_after=7),
    ),
)

WEBPUSH = Guest(
    name="webpush",
    adapter="adapters.webpush:WebPushAdapter",
    channel="push",
    addressed=True,
    address=lambda i, sandbox: next(sandbox.push.subscriptions(1, i)),
    bad_addresses=("", "{}", "https://127.0.0.1/push/1", '{"endpoint":"https://example.org/x","keys":{}}'),
    asks_before_sending=False,
    answers=(
        says(301, Refused(Reason.BLOCKED)),
        says(307, Refused(Reason.BLOCKED)),
        says(400, BAD_REQUEST),
        says(401, CREDENTIALS),
        says(403, CREDENTIALS),
        says(404, GONE),
        says(408, UNAVAILABLE),
        says(410, GONE),
        says(413, TOO_LARGE),
        says(418, BAD_REQUEST),
        says(429, Retry(Reason.RATE_LIMITED, None, Hold.ORIGIN)),
        says(429, Retry(Reason.RATE_LIMITED, 7, Hold.ORIGIN), retry_after=7),
        says(500, UNAVAILABLE),
        says(502, BROKEN),
        says(503, Retry(Reason.UNAVAILABLE, 7, Hold.ORIGIN), retry_after=7),
        says(504, BROKEN),
    ),
)

WEBPUSH_HTTP1 = replace(WEBPUSH, name="webpush-http1", options=Options(http2=False))

WEBHOOK = Guest(
    name="webhook",
    adapter="adapters.webhook:WebhookAdapter",
    channel="hook",
    addressed=False,
    recipient=lambda i: "/hook",
    asks_before_sending=False,
    answers=(
        says(200, Accepted()),
        says(202, Accepted()),
        says(301, Refused(Reason.BLOCKED)),
        says(307, Refused(Reason.BLOCKED)),
        says(400, BAD_REQUEST),
        says(401, CREDENTIALS),
        says(403, CREDENTIALS),
        says(404, BAD_REQUEST),
        says(408, UNAVAILABLE),
        says(410, POLICY),
        says(413, TOO_LARGE),
        says(422, BAD_REQUEST),
        says(429, Retry(Reason.RATE_LIMITED, 7, Hold.ORIGIN), retry_after=7),
        says(500, UNAVAILABLE),
        says(502, BROKEN),
        says(503, Retry(Reason.UNAVAILABLE, 7, Hold.ORIGIN), retry_after=7),
        says(504, BROKEN),
    ),
)

EMAIL = Guest(
    name="email",
    adapter="adapters.email:EmailAdapter",
    channel="mail",
    addressed=True,
    address=lambda i, sandbox: f"citizen{i}@example.org",
    recipient=lambda i: f"citizen{i}@example.org",
    bad_addresses=("", "nobody", "a@b@example.org", "a\r\nBcc: b@example.org", "two words@example.org"),
    changes={"concurrency": 4},
    answers=(
        says(421, UNAVAILABLE, phase=CONNECT),
        says(554, POLICY, phase=CONNECT),
        says(421, UNAVAILABLE, phase=RCPT),
        says(450, DEFERRED, "4.2.0 greylisted", phase=RCPT),
        says(451, DEFERRED, phase=RCPT),
        says(452, DEFERRED, "4.2.2 mailbox full", phase=RCPT),
        says(550, GONE, "5.1.1 no such user", phase=RCPT),
        says(550, POLICY, "5.7.1 your address is listed", phase=RCPT),
        says(550, BAD_REQUEST, "5.2.1 mailbox disabled", phase=RCPT),
        says(501, Refused(Reason.BAD_ADDRESS), "5.1.3 bad syntax", phase=RCPT),
        says(451, UNAVAILABLE),
        says(452, UNAVAILABLE, "4.3.1 no space"),
        says(552, TOO_LARGE, "5.3.4 message too big"),
        says(554, BAD_REQUEST, "5.6.0 content"),
        says(554, POLICY, "5.7.1 looks like spam"),
    ),
)

_BOT_COMMON = (
    says(400, BAD_REQUEST, "Bad Request: can't parse entities"),
    says(400, TOO_LARGE, "Bad Request: message is too long"),
    says(401, CREDENTIALS),
    says(404, CREDENTIALS),
    says(500, UNAVAILABLE),
    says(503, UNAVAILABLE),
    says(502, BROKEN),
    says(504, BROKEN),
)

TELEGRAM = Guest(
    name="telegram-addressed",
    adapter="adapters.telegram:TelegramAdapter",
    channel="bot",
    addressed=True,
    address=lambda i, sandbox: str(70_000 + i),
    recipient=lambda i: str(70_000 + i),
    bad_addresses=("", "0", "@name", "12 34", "abc"),
    answers=(
        *_BOT_COMMON,
        says(429, Retry(Reason.RATE_LIMITED, 7), retry_after=7),
        says(400, GONE, "Bad Request: chat not found"),
        says(403, GONE, "Forbidden: bot was blocked by the user"),
        says(403, GONE, "Forbidden: user is deactivated"),
    ),
)

CHANNEL = Guest(
    name="telegram-broadcast",
    adapter="adapters.telegram:TelegramAdapter",
    channel="canale",
    addressed=False,
    recipient=lambda i: "@sandbox_town",
    answers=(
        *_BOT_COMMON,
        says(429, Retry(Reason.RATE_LIMITED, 7, Hold.CHANNEL), retry_after=7),
        says(400, CREDENTIALS, "Bad Request: chat not found"),
        says(403, CREDENTIALS, "Forbidden: bot is not a member of the channel chat"),
        says(400, CREDENTIALS, "Bad Request: need administrator rights in the channel chat"),
    ),
)

GUESTS = (FAKE, WEBPUSH, WEBPUSH_HTTP1, WEBHOOK, EMAIL, TELEGRAM, CHANNEL)
