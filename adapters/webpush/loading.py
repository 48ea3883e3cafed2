"""Filling the magazine while nothing happens, so that at the moment of an alert only AES is left to do."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from typing import Final

from adapters.webpush.deriving import AT_ONCE, BATCH, KINDNESS, Deriver
from adapters.webpush.magazine import PAGE, Magazine
from adapters.webpush.subscription import origin_of
from adapters.webpush.vapid import Tokens
from alertd.domain.alert import Purpose
from alertd.domain.problems import Unavailable
from alertd.ports.adapter import Tools

ORDER: Final = (Purpose.EMERGENCY, Purpose.SERVICE, Purpose.EVENT)
ROWS: Final = 256
TICK: Final = 1.0
QUIET: Final = 1.0
"""Seconds without a page being sent after which an alert is taken to have gone out."""
POLL: Final = 10.0
WALK_EVERY: Final = 3_600.0
"""Seconds. Only a walk finds who came back under an old id, and who is gone."""
WARM: Final = 8
KEPT_FRESH: Final = 256
_GUESS: Final = 6_000.0  # envelopes a second, before any was measured


class Loader:
    """Walks the roster and derives what the magazine wants: one for everybody first, then the next for everybody."""

    def __init__(self, magazine: Magazine, tools: Tools, tokens: Tokens | None = None) -> None:
        self._magazine = magazine
        self._roster = tools.roster
        self._clock = tools.clock
        self._log = tools.log
        self._gauge = tools.gauge
        self._tokens = tokens
        self._sending = 0
        self._quiet_from = 0.0
        self._spent = True  # envelopes may have been used since the latest walk began
        self._people = 0
        self._rate = _GUESS
        self._last = dict.fromkeys(ORDER, 0)
        self._seen: defaultdict[int, int] = defaultdict(int)
        self._census: Counter[str] = Counter()
        self._last_census: Counter[str] = Counter()

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Around each page being sent: no derivation begins before the last has ended and it was quiet a while."""
        self._sending += 1
        self._spent = True
        try:
            yield
        finally:
            self._sending -= 1
            self._quiet_from = self._clock.monotonic() + QUIET

    @property
    def origins(self) -> Sequence[str]:
        """host:port of the push services most subscriptions name, most frequent first; at most WARM."""
        return tuple(origin for origin, _ in self._fuller_census().most_common(WARM))

    async def run(self) -> None:
        """Keep the magazine full and the tokens fresh until cancelled. A fault costs time, never the channel."""
        deriver = Deriver(self._log, KINDNESS)
        walked_at = polled_at = self._clock.monotonic()
        try:
            while True:
                await self._calm()
                now = self._clock.monotonic()
                try:
                    if self._spent or now >= walked_at + WALK_EVERY:
                        await self._walk(deriver)
                        walked_at = polled_at = now
                    elif now >= polled_at + POLL:
                        polled_at = now
                        await self._poll(deriver)
                except Exception as fault:  # noqa: BLE001 - it is logged, and the channel must live
                    self._complain(fault)
                    await self._clock.sleep(POLL)
                await self._clock.sleep(TICK)
        finally:
            await deriver.close()

    # --- walking ----------------------------------------------------------------------------------------------------

    async def _walk(self, deriver: Deriver) -> None:
        """Everybody, from the beginning; given up as soon as an alert takes envelopes again. Raises Unavailable."""
        self._spent = False
        self._seen.clear()
        self._census = Counter()
        self._people = await self._roster.count()
        for depth in range(1, self._magazine.depth + 1):
            for purpose in ORDER:
                self._last[purpose] = await self._pass(deriver, purpose, after=0, depth=depth)
        if not self._spent:
            self._last_census = self._census
            await self._forget_the_gone()
            await self._renew()
            self._report(is_full=True)

    async def _poll(self, deriver: Deriver) -> None:
        """Who subscribed since. Raises Unavailable."""
        before = tuple(self._last.values())
        for purpose in ORDER:
            self._last[purpose] = await self._pass(
                deriver, purpose, after=self._last[purpose], depth=self._magazine.depth
            )
        await self._renew()
        if tuple(self._last.values()) != before:
            self._people = await self._roster.count()
            self._report(is_full=not self._spent)

    async def _pass(self, deriver: Deriver, purpose: Purpose, *, after: int, depth: int) -> int:
        """See that who wants this purpose, with ids above `after`, has `depth` envelopes; the last id looked at."""
        while not self._spent and (rows := await self._roster.endpoints(purpose, after=after, limit=ROWS)):
            origins = len(self._census)
            self._note(rows)
            if len(self._census) > origins:
                await self._renew()
            for level in range(1, depth + 1):
                short = self._magazine.depth - level
                await self._load(deriver, [row for row in rows if self._magazine.wants(*row) > short])
            after = rows[-1][0]
        return after

    def _note(self, rows: Sequence[tuple[int, str]]) -> None:
        for endpoint_id, address in rows:
            bit = 1 << endpoint_id % PAGE
            if not self._seen[endpoint_id // PAGE] & bit:
                self._seen[endpoint_id // PAGE] |= bit
                self._census[origin_of(address)] += 1

    async def _forget_the_gone(self) -> None:
        """Once everybody was seen, who has envelopes and was not seen has gone."""
        for page in self._magazine.pages():
            self._magazine.retain(page, self._seen.get(page, 0))
            await asyncio.sleep(0)

    # --- deriving ---------------------------------------------------------------------------------------------------

    async def _load(self, deriver: Deriver, wanting: Sequence[tuple[int, str]]) -> None:
        if not wanting:
            return
        began, before = self._clock.monotonic(), len(self._magazine)
        batches = deque(wanting[i : i + BATCH] for i in range(0, len(wanting), BATCH))
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._work_off(deriver, batches))
        if len(wanting) >= BATCH and not self._spent and (took := self._clock.monotonic() - began) > 0:
            self._rate += 0.1 * ((len(self._magazine) - before) / took - self._rate)
        self._report()

    async def _work_off(self, deriver: Deriver, batches: deque[Sequence[tuple[int, str]]]) -> None:
        while batches and not self._spent:
            for endpoint_id, address, envelope in await deriver.prepare(batches.popleft()):
                self._magazine.put(endpoint_id, address, envelope)

    # --- beside it --------------------------------------------------------------------------------------------------

    async def _calm(self) -> None:
        """Return when no alert is going out."""
        while self._sending or self._clock.monotonic() < self._quiet_from:
            self._report()
            await self._clock.sleep(QUIET)

    async def _renew(self) -> None:
        """The tokens for the audiences seen, a signature at a turn of the loop."""
        if self._tokens is None:
            return
        for origin, _ in self._fuller_census().most_common(KEPT_FRESH):
            if self._tokens.renew(f"https://{origin.removesuffix(':443')}", self._clock.now()):
                await asyncio.sleep(0)

    def _fuller_census(self) -> Counter[str]:
        return max(self._census, self._last_census, key=Counter.total)

    def _report(self, *, is_full: bool = False) -> None:
        missing = 0 if is_full else max(0, self._people * self._magazine.depth - len(self._magazine))
        share = self._magazine.ready / self._people if self._people else 1.0
        self._gauge("envelopes_ready_share", min(1.0, share))
        self._gauge("envelopes_seconds_to_full", float(ceil(missing / max(1.0, self._rate))))

    def _complain(self, fault: Exception) -> None:
        self._spent = True
        if isinstance(fault, Unavailable):
            self._log.warning("envelopes cannot be prepared while the store cannot be read")
        else:
            self._log.error("preparing envelopes failed", exc_info=fault)
