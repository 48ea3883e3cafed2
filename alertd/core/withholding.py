"""What is not sent because another message took it back first: once in the audit log, and once to the officers, for
nothing else here tells that it ever came."""

import hashlib
from collections import deque
from typing import Final

from alertd.cap.moments import canonical
from alertd.core.accepting import IntakeParts
from alertd.core.notices import Notices
from alertd.core.overtaken import Message
from alertd.core.words.notices import Withheld
from alertd.domain.alert import Reference, Status
from alertd.ports.stores.peers import PeerStore

_MOST_KEPT: Final = 1_000
_AN_HOUR: Final = 3_600.0
_MOST_TOLD: Final = 5
"""In an hour, of real ones, and as many of drills: one Cancel may name two hundred messages, and officers must not
drown in what is not sent."""


class Withholding:
    def __init__(self, parts: IntakeParts, store: PeerStore) -> None:
        self._store = store
        self._fit = parts.fittings
        self._notices = Notices(parts)
        self._done: set[Reference] = set()
        self._told: dict[bool, deque[float]] = {real: deque(maxlen=_MOST_TOLD) for real in (True, False)}

    async def withhold(self, message: Message, why: str) -> None:
        """However often it is posted. After a restart, or when very many were withheld since, it is audited again, but
        the officers are not told again. Raises Unavailable, and then all of it is to be done anew."""
        name = message.origin.name
        if name in self._done:
            return
        if message.alert.status is not Status.DRAFT:
            await self._tell(message, why)
        await self._store.withheld(message.origin, why, self._fit.clock.now())
        if len(self._done) >= _MOST_KEPT:
            self._done.clear()
        self._done.add(name)

    async def _tell(self, message: Message, why: str) -> None:
        now, told = self._fit.clock.monotonic(), self._told[message.alert.status.is_real]
        while told and now - told[0] >= _AN_HOUR:
            told.popleft()
        if len(told) == _MOST_TOLD:
            self._fit.log.warning("not sent, and not told to the officers either", message=str(message.origin.name))
            return
        info = message.alert.info[:1]
        notice = Withheld(
            name=str(message.origin.name),
            what=next((one.headline or one.event for one in info), message.origin.name.identifier),
            why=why,
            posted_by=message.origin.owner,
            status=message.alert.status,
            last=len(told) == _MOST_TOLD - 1,
        )
        await self._notices.tell(f"withheld-{_digest(message.origin.name)}", notice)
        told.append(now)


def _digest(name: Reference) -> str:
    """The same for all spellings of its moment."""
    spelt = "\n".join((name.sender, name.identifier, canonical(name.sent)))
    return hashlib.sha256(spelt.encode()).hexdigest()[:16]
