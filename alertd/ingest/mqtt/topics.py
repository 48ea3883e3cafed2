"""Which topics a filter means (MQTT 3.1.1, 4.7)."""

from collections.abc import Sequence
from typing import Final

MOST: Final = 10_000
"""Topics of which it is remembered whether they are meant."""
_LONG: Final = 256
"""Characters. Of a longer one it is not remembered: ten thousand may have 64 kB each (1.5.3)."""
_SHARED: Final = "$share/"


class Wanted:
    """Whether any of the filters means a topic. The broker judges too, but by a session that may be older."""

    def __init__(self, filters: Sequence[str]) -> None:
        self._filters = [_plain(one).split("/") for one in filters]
        self._known: dict[str, bool] = {}

    def __call__(self, topic: str) -> bool:
        known = self._known.get(topic)
        if known is None:
            levels = topic.split("/")
            known = any(_means(one, levels) for one in self._filters)
            if len(self._known) >= MOST:
                self._known.clear()
            if len(topic) <= _LONG:
                self._known[topic] = known
        return known


def _plain(topic_filter: str) -> str:
    """Brokers share `$share/GROUP/FILTER` among several; what it means is FILTER."""
    return topic_filter.split("/", 2)[-1] if topic_filter.startswith(_SHARED) else topic_filter


def _means(wanted: Sequence[str], levels: Sequence[str]) -> bool:
    """A wildcard at the beginning does not mean what begins with `$` (4.7.2)."""
    if levels[0].startswith("$") and wanted[0] in ("+", "#"):
        return False
    for i, level in enumerate(wanted):
        if level == "#":
            return True
        if i >= len(levels) or (level not in ("+", levels[i])):
            return False
    return len(wanted) == len(levels)
