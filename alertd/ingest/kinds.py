"""Which kinds of source there are, and which model judges the keys of each."""

from typing import Final

from alertd.ingest.readers import cap, cap_feed
from alertd.ingest.readers.received import Options
from alertd.ingest.readers.registry import MODULES, reader
from alertd.ingest.source import CAP_FEED


class CapFeedOptions(cap.Config, cap_feed.Config):
    """What is taken of the messages a feed leads to, and whether its links are followed."""


KINDS: Final = tuple(sorted({CAP_FEED, *MODULES}))


def options_of(kind: str) -> type[Options]:
    """Raises KeyError for an unknown kind, ImportError where its library is not installed."""
    return CapFeedOptions if kind == CAP_FEED else reader(kind).config
