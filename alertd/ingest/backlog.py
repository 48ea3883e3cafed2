"""Messages that came and were not read yet: bounded, the newest of every topic kept."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, Final, Protocol

BATCH: Final = 100


class Message(Protocol):
    """What a broker hands over."""

    @property
    def topic(self) -> Any: ...

    @property
    def payload(self) -> Any: ...


class Backlog(asyncio.Queue[Any]):
    """A queue of messages that is read in batches: `get` gives a list, in the order of arrival for each topic.

    It is never full: over `most`, the oldest message of the same topic gives way, and where there is none the oldest
    of the topic heard longest ago. `dropped()` is called for each.
    """

    def __init__(self, most: int, dropped: Callable[[], None]) -> None:
        self._most = most
        self._dropped = dropped
        self._topics: OrderedDict[str, deque[Message]] = OrderedDict()
        self._count = 0
        super().__init__()

    def _init(self, maxsize: int) -> None:
        """Nothing of the kind asyncio.Queue keeps."""

    def qsize(self) -> int:
        return self._count

    def empty(self) -> bool:
        return not self._count

    def _put(self, item: Message) -> None:
        name = str(item.topic)
        waiting = self._topics.setdefault(name, deque())
        if self._count >= self._most:
            self._drop(waiting)
        waiting.append(item)
        self._topics[name] = waiting  # it may just have been emptied and left
        self._count += 1

    def _drop(self, same: "deque[Message]") -> None:
        if same:
            same.popleft()
        else:
            name, oldest = next((name, kept) for name, kept in self._topics.items() if kept)
            oldest.popleft()
            if not oldest:
                del self._topics[name]
        self._count -= 1
        self._dropped()

    def _get(self) -> list[Message]:
        """Up to BATCH of them, topic by topic, each topic in turn."""
        batch: list[Message] = []
        while self._topics and len(batch) < BATCH:
            name, waiting = self._topics.popitem(last=False)
            if waiting:
                batch.append(waiting.popleft())
                self._count -= 1
            if waiting:
                self._topics[name] = waiting
        return batch
