"""Blocks: the Infos of an alert that say the same thing in different languages.

CAP lets an alert carry several Infos that are translations of each other, or that speak to different areas,
or both. They are never merged blindly: Infos with the same zones, urgency, severity and certainty and with
different languages form one block; a subscriber is told the blocks that select one of his zones, each in
the language nearest to his. At most 60 blocks, because the blocks of a delivery travel as a bit mask.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from alertd.domain.alert import Alert, Info

MAX_BLOCKS = 60
EVERY_BLOCK = 2**MAX_BLOCKS - 1
"""The mask of what is told to all, as on a broadcast channel."""


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
    kinds: dict[object, dict[str, list[int]]] = {}
    for i, info in enumerate(alert.info):
        kinds.setdefault(_kind(info), {}).setdefault(info.language.lower(), []).append(i)
    groups = sorted(sorted(group) for languages in kinds.values() for group in _translations(languages))
    return tuple(_block(bit, [alert.info[i] for i in group]) for bit, group in enumerate(groups))


def infos_for(alert: Alert, mask: int, language: str, fallbacks: Sequence[str]) -> tuple[Info, ...]:
    """What a subscriber whose delivery carries this block mask is told, worst first."""
    chosen = [block for block in blocks_of(alert) if block.bit & mask]
    chosen.sort(key=lambda block: -block.severity)
    return tuple(block.in_language(language, fallbacks) for block in chosen)


def _kind(info: Info) -> object:
    return (info.zones, info.urgency, info.severity, info.certainty)


def _translations(languages: Mapping[str, Sequence[int]]) -> Iterator[Sequence[int]]:
    """Which Infos of a kind go together: the first of each language, the second of each, and so on.

    Where one language says more than another, what translates what cannot be known: each stands alone, so that
    a reader may meet another language but never misses a warning.
    """
    if len({len(said) for said in languages.values()}) == 1:
        yield from zip(*languages.values(), strict=True)
    else:
        yield from ([i] for said in languages.values() for i in said)


def _block(bit: int, infos: Sequence[Info]) -> Block:
    return Block(1 << bit, infos[0].zones, infos[0].severity.rank, tuple(infos))


def _nearest(infos: Sequence[Info], tag: str) -> Info | None:
    wanted = tag.lower()
    exact = next((info for info in infos if info.language.lower() == wanted), None)
    primary = wanted.partition("-")[0]
    return exact or next((i for i in infos if i.language.lower().partition("-")[0] == primary), None)
