"""The contract between the core and a channel adapter. Everything an adapter's author must know is here.

An adapter carries messages; it never retries, never sleeps for a retry, never stores, and never swallows
CancelledError. An exception out of `send` is a bug: it is counted and treated as Retry(BUG). No address and no
secret goes into a log line.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

from pydantic import BaseModel
from structlog.typing import FilteringBoundLogger

from alertd.domain.alert import Alert, Info
from alertd.domain.delivery import State, Verdict
from alertd.ports.clock import Clock
from alertd.ports.roster import EMPTY, Roster


@dataclass(frozen=True, slots=True)
class Traits:
    """What a configured channel is and can do.

    `provable` is the highest state this channel can ever prove. `page_size` is how many parcels it likes at
    once; `rate` is messages a second for the whole channel (None: no limit of ours); `concurrency` is how many
    parcels it works on at once for emergencies, and as many again for everything else: the gate hands out no more.
    `idempotent`: the provider or the reader's device recognises a repeat. Channels that name the same `budget`
    share one `rate`, as two channels of one bot do; it is no secret, for it may be logged.
    """

    addressed: bool
    provable: State
    idempotent: bool
    max_length: int | None = None
    formats: frozenset[str] = frozenset({"text"})
    page_size: int = 500
    rate: float | None = None
    concurrency: int = 32
    budget: str = ""


@dataclass(frozen=True, slots=True)
class Service:
    """Who speaks. `public_url` has no trailing slash and is empty where nothing public was configured."""

    name: str
    sender: str
    languages: tuple[str, ...]
    timezone: str
    public_url: str


def _unwatched(name: str, value: float) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the house lends to an open adapter. `state` is a folder the adapter may keep keys in (mode 0700).

    `unsubscribe_url(endpoint_id)` is the citizen's own link, empty where there is no public URL. `roster` names the
    channel's endpoints, for an adapter that prepares something for each; `gauge(name, value)` sets a number that
    operators may watch, e.g. a share that is ready (a metric, and on the readiness board).
    """

    clock: Clock
    log: FilteringBoundLogger
    service: Service
    state: Path
    unsubscribe_url: Callable[[int], str]
    roster: Roster = EMPTY
    gauge: Callable[[str, float], None] = _unwatched


@dataclass(frozen=True, slots=True)
class Notice:
    """An alert put into words for one channel, one language and one selection of its Infos.

    `title` is one line and begins with the drill mark where the alert is not real, then with who sends;
    `text` is the whole message as plain text without the title; `html` the same as an HTML fragment.
    `tag` names the thread (the first alert and all that reference it): at most 32 base64url characters, the
    same for a repeat, an Update and a Cancel, so that what can replace replaces. `root` is the identifier of
    the thread's first alert; `deadline` the moment after which nothing may be sent.
    """

    alert: Alert
    infos: tuple[Info, ...]
    language: str
    title: str
    text: str
    html: str
    url: str
    tag: str
    root: str
    deadline: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """A Notice made ready by an adapter: what every parcel of a page has in common.

    `preview` is what a person would read, for the officer's preview; `payload` is the adapter's own.
    """

    notice: Notice
    preview: str
    payload: Any = None


class Parcel(NamedTuple):
    """One delivery to be tried now. A NamedTuple, because a hundred thousand of them go by.

    `key` is the idempotency key, the same for every attempt. `thread` is the provider's reference of the
    latest earlier message of this thread to this endpoint, if any. `endpoint_id` is 0 and `address` empty on a
    broadcast channel. `attempt` counts from 1.
    """

    delivery_id: int
    key: str
    endpoint_id: int
    address: str
    deadline: datetime
    attempt: int = 1
    thread: str | None = None


Settle = Callable[[int, Verdict], None]
"""settle(delivery_id, verdict): exactly once for every parcel taken, in any order, as each outcome arrives."""


class Page(Protocol):
    """One rendered message and many parcels, handed out through a gate.

    The gate keeps the rate, lets an emergency overtake, and closes for good when the alert was cancelled, has
    expired, the lease is lost or the daemon stops: what was not taken is not sent and goes back to the queue.
    """

    @property
    def message(self) -> Message: ...

    async def take(self, up_to: int = 1) -> Sequence[Parcel]:
        """The next parcels, at least one and at most `up_to`; empty when there is no more. Start them at once."""
        ...


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the channel could send now. `detail` is for the operator; `facts` e.g. a quota."""

    ready: bool
    detail: str
    facts: Mapping[str, str | int | float] = field(default_factory=dict)


class Adapter(Protocol):
    """An open channel."""

    @property
    def traits(self) -> Traits: ...

    def render(self, notice: Notice) -> Message:
        """Make the message of a page. Pure; called once per (alert, channel, language, Infos), never per parcel.

        Too long a text is shortened here, keeping who sends, the drill mark and the link.
        """
        ...

    def origin(self, address: str) -> str:
        """Which server this address is reached through: what a Hold.ORIGIN holds and a circuit breaker watches."""
        ...

    async def send(self, page: Page, settle: Settle) -> None:
        """Take parcels until there are none, settle each. Returns when all that were taken are settled."""
        ...

    async def check(self) -> Health:
        """Prove the credentials without sending anything. Never raises."""
        ...


class AdapterType(Protocol):
    """What the entry-point group `alertd.adapters` names: the adapter's class, not yet open."""

    name: ClassVar[str]
    Config: ClassVar[type[BaseModel]]

    @staticmethod
    def traits_of(config: Any) -> Traits:
        """What a channel configured like this would be; no I/O."""
        ...

    @staticmethod
    def normalize(config: Any, address: str) -> str:
        """The canonical form of an endpoint's address; ValueError saying what is wrong with it."""
        ...

    @staticmethod
    def public_facts(config: Any, state: Path) -> Mapping[str, str]:
        """What a citizen's browser must know to subscribe, e.g. the application server key; may be empty."""
        ...

    @staticmethod
    def open(channel: str, config: Any, tools: Tools) -> AbstractAsyncContextManager[Adapter]:
        """Open the channel: connections are made lazily or here, and all closed on the way out."""
        ...
