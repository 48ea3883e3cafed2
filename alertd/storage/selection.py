"""Which endpoints an alert selects, and which of its blocks each of them is told.

A target (zone, bit, severity) selects the subscribers of that zone who asked for that severity or milder.
Targets of the whole territory depend on the severity alone: four masks, one for each rank a subscriber may have
asked for. The others are matched against zone sets, of which there are few, not against subscribers, of whom
there are many; the result lies in the table `selected` while the alert is planned.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import orjson
from sqlalchemy import Connection

from alertd.domain.alert import WHOLE_TERRITORY
from alertd.ports.stores.intake import Target
from alertd.storage.connect import run

RANKS: Final = (1, 2, 3, 4)
WHOLE: Final = tuple(f"whole{rank}" for rank in RANKS)

NEW_SETS: Final = "SELECT id, zones FROM zone_set WHERE id > :known ORDER BY id"
_SELECT: Final = """
INSERT INTO selected (alert_seq, zone_set, min_rank, blocks)
SELECT :seq, value->>0, value->>1, value->>2 FROM json_each(:rows) WHERE true
ON CONFLICT DO NOTHING
"""


class Matcher:
    """The targets of one alert, ready to be asked for the blocks of a zone set."""

    def __init__(self, targets: Iterable[Target]) -> None:
        self._by_zone: defaultdict[str, list[Target]] = defaultdict(list)
        for target in targets:
            self._by_zone[target.zone].append(target)

    @property
    def zoned(self) -> bool:
        """Whether any target speaks of less than the whole territory."""
        return any(zone != WHOLE_TERRITORY for zone in self._by_zone)

    def everywhere(self, rank: int) -> int:
        """The blocks everyone is told who asked for `rank` or worse."""
        return _mask(self._by_zone.get(WHOLE_TERRITORY, ()), rank)

    def blocks(self, zones: Iterable[str], rank: int) -> int:
        """The blocks for subscribers of these zones; whoever asked for the whole territory is told every one."""
        mask = self.everywhere(rank)
        for zone in self._by_zone if WHOLE_TERRITORY in zones else zones:
            mask |= _mask(self._by_zone.get(zone, ()), rank)
        return mask


def _mask(targets: Iterable[Target], rank: int) -> int:
    mask = 0
    for target in targets:
        if target.severity >= rank:
            mask |= target.bit
    return mask


def targets_of(text: str) -> Sequence[Target]:
    return [Target(*target) for target in orjson.loads(text)]


def whole(matcher: Matcher) -> dict[str, int]:
    """The parameters :whole1 … :whole4 and :zoned of the statements that select endpoints."""
    masks = {name: matcher.everywhere(rank) for name, rank in zip(WHOLE, RANKS, strict=True)}
    return {**masks, "zoned": int(matcher.zoned)}


def select_sets(conn: Connection, alert_seq: int, matcher: Matcher, *, known: int) -> int:
    """Match the zone sets newer than `known`; the newest one there is."""
    if not matcher.zoned:
        return known
    rows = []
    newest = known
    for set_id, zones in run(conn, NEW_SETS, {"known": known}).fetchall():
        newest = set_id
        codes = orjson.loads(zones)
        rows += [[set_id, rank, mask] for rank in RANKS if (mask := matcher.blocks(codes, rank))]
    if rows:
        run(conn, _SELECT, {"seq": alert_seq, "rows": orjson.dumps(rows).decode()})
    return newest
