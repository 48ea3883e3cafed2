"""The stage an HTTP stand-in plays on: its faults, its ledger."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import assert_never

from alertd.sandbox.exchange import Line, Response
from alertd.sandbox.faults import NONE, Fault, Faults, Injector, Kind
from alertd.sandbox.ledger import EVERYBODY, Ledger

Take = Callable[[float], Awaitable[Response]]
Refuse = Callable[[Fault], Response]


class Stage:
    """`play` plays one request, faults and all, over whichever protocol it came."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.faults = NONE

    @property
    def faults(self) -> Faults:
        return self._injector.faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._injector = Injector(faults, clock=time.monotonic, chance=random.random)

    def clear(self) -> None:
        self.ledger.clear()
        self.faults = NONE

    async def play(self, line: Line, recipient: str, take: Take, refuse: Refuse) -> Response | None:
        """The answer to a request about `recipient`: `take(arrived_at)` does the real work, `refuse` words a fault.

        None where a fault has spoiled the answer itself.
        """
        arrived = self.ledger.arrived(recipient)
        strike = self._injector.pick(recipient)
        if strike.latency:
            await asyncio.sleep(strike.latency)
        fault = strike.fault
        if fault is None:
            answer = await take(arrived)
        else:
            spoils = fault.kind in (Kind.DRIP, Kind.HALF)
            taken = await take(arrived) if fault.taken or spoils else Response(204)
            if fault.kind is not Kind.STATUS:
                if not line.gone:  # the client may have left while its message was taken
                    await _spoil(fault, line, taken)
                return None
            answer = refuse(fault)
            self._announce(fault)
        self.ledger.answered(answer.status)
        return answer

    def _announce(self, fault: Fault) -> None:
        if fault.retry_after is None:
            return
        for recipient in fault.recipients or (EVERYBODY,):
            self.ledger.announce(fault.retry_after, recipient)


async def _spoil(fault: Fault, line: Line, answer: Response) -> None:
    match fault.kind:
        case Kind.HANG:
            await asyncio.Event().wait()
        case Kind.RESET:
            line.reset()
        case Kind.STREAM:
            line.abort()
        case Kind.DRIP:
            await line.drip(answer, fault.seconds)
        case Kind.HALF:
            line.half(answer)
        case Kind.LATENCY | Kind.STATUS:
            raise AssertionError("latency is not a fault by itself, and a status spoils nothing")
        case _:
            assert_never(fault.kind)


def plain_refusal(fault: Fault) -> Response:
    """A status and a Retry-After header (RFC 9110, 10.2.3)."""
    headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
    return Response(fault.status or 503, headers, fault.text.encode())
