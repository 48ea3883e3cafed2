"""Where a test may stop the process: at the boundaries of the road, by name. In production nothing listens."""

from collections.abc import Callable

Failpoint = Callable[[str], None]
"""Called with one of BOUNDARIES as the road crosses it."""

BOUNDARIES = ("accept", "commit", "wake", "plan", "claim", "answered", "settle")


def nothing(_: str) -> None:
    """The production failpoint."""
