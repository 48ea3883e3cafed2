"""Blocks: the Infos of an alert that say the same thing in different languages.

CAP lets an alert carry several Infos that are translations of each other, or that speak to different areas,
or both. They are never merged blindly: Infos with the same zones, urgency, severity and certainty and with
different languages form one block; a subscriber is told the blocks that select one of his zones, each in
the language nearest to his. At most 60 blocks, because the blocks of a delivery travel as a bit mask.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from alertd.domain.alert import WHOLE_TERRITORY, Alert, Info

MAX_BLOCKS = 60


@dataclass(frozen=True, slots=True)
class Block:
    """`bit` is 1 << index; `zones` holds zone codes or `"*"`; `severity` is a rank (see Severity.rank)."""

    bit: int
    zones: frozenset[str]
    severity: int
    infos: tuple[Info, ...]

    def in_language(self, wanted: str, fallbacks: Sequence[str]) -> Info:
        """The Info in the language nearest to `wanted`; never none, since a block has at least one."""
        for tag in (wanted, *fallbacks):
            match = _nearest(self.infos, tag)
            if match is not None:
                return match
        return self.infos[0]


def blocks_of(alert: Alert) -> tuple[Block, ...]:
    """The alert's blocks, in the order of their first Info."""
    groups: list[list[Info]] = []
    for info in alert.info:
        for group in groups:
            if _says_the_same(group[0], info) and all(info.language.lower() != o.language.lower() for o in group):
                group.append(info)
                break
        else:
            groups.append([info])
    return tuple(Block(1 << i, group[0].zones, group[0].severity.rank, tuple(group)) for i, group in enumerate(groups))


def infos_for(alert: Alert, mask: int, language: str, fallbacks: Sequence[str]) -> tuple[Info, ...]:
    """What a subscriber whose delivery carries this block mask is told, worst first."""
    chosen = [block for block in blocks_of(alert) if block.bit & mask]
    chosen.sort(key=lambda block: -block.severity)
    return tuple(block.in_language(language, fallbacks) for block in chosen)


def selects(block: Block, zones: frozenset[str], min_severity: int) -> bool:
    """Whether a subscriber of these zones, who asked for this severity or worse, is told this block."""
    return block.severity >= min_severity and (WHOLE_TERRITORY in block.zones or bool(block.zones & zones))


def _says_the_same(a: Info, b: Info) -> bool:
    return (a.zones, a.urgency, a.severity, a.certainty) == (b.zones, b.urgency, b.severity, b.certainty)


def _nearest(infos: Sequence[Info], tag: str) -> Info | None:
    wanted = tag.lower()
    exact = next((info for info in infos if info.language.lower() == wanted), None)
    primary = wanted.partition("-")[0]
    return exact or next((i for i in infos if i.language.lower().partition("-")[0] == primary), None)
