"""The connections at work for one class of mail, and the messages that wait for them.

The emergency has a fleet of its own, so that it never waits behind a newsletter's burst. Connections grow with what
waits, up to the configured number; they come from the pool of rested ones and go back when nobody sends.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Protocol

from adapters.email.pool import PROVE_AFTER, Pool
from adapters.email.session import Session, Unopened
from adapters.email.shipment import Item, Shipment
from alertd.domain.delivery import Reason, Refused, Retry

_FEW: Final = 64
_MANY: Final = 512
_QUICK, _SLOW = 0.01, 0.05
"""Messages that wait at most: so many that no connection starves and that taking them is a small part of the work, so
few that a cancelled alert ends at once. Twice as many where half of them went in QUICK seconds, half where it was SLOW.
"""
_GROW_AGAIN: Final = 5.0
"""Seconds to make do with the connections there are, after the relay refused another."""


class Line(Protocol):
    """One connection at work; it draws messages from its fleet with `next`."""

    idle_since: float

    def feed(self) -> None:
        """There are messages: draw."""
        ...

    def rest(self) -> None:
        """Give the session back to the pool. Only where nothing is under way."""
        ...

    def drop(self, shipment: Shipment) -> None:
        """Break off if it carries any of this shipment."""
        ...

    def abort(self) -> None:
        """Break off."""
        ...


StartLine = Callable[[Session, "Fleet"], Line]
"""Put a session to work in the way its relay's extensions allow."""


class Fleet:
    """`timeout`: seconds after which a message that could not start is given up."""

    def __init__(self, pool: Pool, start: StartLine, *, connections: int, timeout: float) -> None:
        self.pool = pool
        self._start = start
        self._connections = connections
        self._timeout = timeout
        self._clock = asyncio.get_running_loop().time
        self._queue: deque[Item] = deque()
        self._lines: set[Line] = set()
        self._hungry: list[Line] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening = 0
        self._shipments: set[Shipment] = set()
        self._waiters: list[asyncio.Future[None]] = []
        self._batch = _FEW
        self._put_at = 0.0
        self._grow_after = 0.0

    # --- for who sends ---------------------------------------------------------------------------------------------

    @contextmanager
    def carrying(self, shipment: Shipment) -> Iterator[None]:
        """Within, the shipment's messages may be put. Left by an exception, none of it goes out any more."""
        self._shipments.add(shipment)
        try:
            yield
        finally:
            self._shipments.discard(shipment)
            shipment.close()
            if shipment.outstanding:
                self._withdraw(shipment)
            if not self._shipments:
                for line in tuple(self._hungry):
                    self._retire(line)

    async def room(self, shipment: Shipment, most: int) -> int:
        """Wait until some more are wanted, of which this shipment may have `most` out; then how many."""
        while True:
            batch = min(self._batch, most)
            enough = max(1, batch // 2)
            await shipment.at_most(most - enough)
            if len(self._queue) <= batch - enough:
                return min(batch - len(self._queue), most - shipment.outstanding)
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def put(self, items: Iterable[Item]) -> None:
        """Send these as soon as a connection is free."""
        self._queue.extend(items)
        self._put_at = self._clock()
        self._employ()

    async def close(self) -> None:
        """Break everything off; nothing may be put any more."""
        self._connections = 0
        for line in tuple(self._lines):
            line.abort()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- for the lines ---------------------------------------------------------------------------------------------

    def next(self, now: float) -> Item | None:
        """The next message to start, if any waits."""
        queue = self._queue
        while queue:
            item = queue.popleft()
            if self._waiters and len(queue) <= self._batch // 2:
                self._adapt(now - self._put_at)
                self._wake()
            if item.expires > now:
                return item
            item.settle(Refused(Reason.EXPIRED))
        return None

    def _adapt(self, seconds: float) -> None:
        """As the latest went."""
        if seconds < _QUICK:
            self._batch = min(_MANY, 2 * self._batch)
        elif seconds > _SLOW:
            self._batch = max(_FEW, self._batch // 2)

    @property
    def share(self) -> int:
        """How many of those that wait are one line's fair part; at least one."""
        return 1 + len(self._queue) // max(1, len(self._lines))

    def hungry(self, line: Line) -> None:
        """The line has nothing to do, and would like to."""
        self._hungry.append(line)

    def ended(self, line: Line, back: Iterable[Item] = ()) -> None:
        """The line works no more; what it had not started comes first again, but for what has waited too long."""
        self._lines.discard(line)
        if line in self._hungry:
            self._hungry.remove(line)
        self._queue.extendleft(item.anew() for item in reversed([item for item in back if not item.shipment.closed]))
        horizon = self._clock() - self._timeout
        if any(item.since <= horizon for item in self._queue):
            self._give_up(lambda item: item.since <= horizon)
        self._employ()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        """Run it beside the rest; it ends at the latest with the fleet."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---------------------------------------------------------------------------------------------------------------

    def _employ(self) -> None:
        horizon = self._clock() - PROVE_AFTER
        for line in [line for line in self._hungry if line.idle_since <= horizon]:
            self._retire(line)  # it must be proven before it is trusted again, which the pool does
        while self._hungry and self._queue:
            self._hungry.pop().feed()
        while self._may_grow():
            self._opening += 1
            self.spawn(self._open(), "open a connection to the relay")

    def _may_grow(self) -> bool:
        return (
            self._opening < len(self._queue)
            and self._opening + len(self._lines) < self._connections
            and (not self._lines or self._clock() >= self._grow_after)
        )

    async def _open(self) -> None:
        try:
            session = await self._session()
        except Unopened as failure:
            self._unopened(failure)
        except Exception as bug:  # noqa: BLE001  nobody awaits this task: the bug must come out of `send`
            self._fail(bug)
        else:
            line = self._start(session, self)
            self._lines.add(line)
            line.feed()
            if not self._shipments and line in self._hungry:
                self._retire(line)

    async def _session(self) -> Session:
        try:
            return await self.pool.session()
        finally:
            self._opening -= 1

    def _unopened(self, failure: Unopened) -> None:
        if self._lines:
            self._grow_after = self._clock() + _GROW_AGAIN
        elif not self._opening:
            self._give_up(lambda _: True, failure)

    def _give_up(self, chosen: Callable[[Item], bool], failure: Unopened | None = None) -> None:
        """Nothing of these was sent."""
        gone = [item for item in self._queue if chosen(item)]
        self._queue = deque(item for item in self._queue if not chosen(item))
        for item in gone:
            item.settle(failure.verdict if failure else Retry(Reason.CONNECT))
        self._wake()

    def _fail(self, bug: Exception) -> None:
        self._queue.clear()
        for shipment in tuple(self._shipments):
            shipment.fail(bug)
        self._wake()

    def _withdraw(self, shipment: Shipment) -> None:
        self._queue = deque(item for item in self._queue if item.shipment is not shipment)
        for line in tuple(self._lines):
            line.drop(shipment)
        self._wake()

    def _retire(self, line: Line) -> None:
        self._hungry.remove(line)
        self._lines.discard(line)
        line.rest()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
