"""What a provider says, made safe to keep and to reckon with: its words come from the network, whoever wrote them."""

from typing import Final

MAX_WAIT: Final = 86_400.0
"""Seconds. Longer than any honest provider asks, shorter than forgetting the endpoint."""
MAX_REF: Final = 500
"""Characters. What is longer is dropped, not cut: half a name names nothing."""


def clean_ref(text: str | None) -> str | None:
    """A provider's name for a message, or None where it is empty, too long, or not printable.

    Printable excludes control and bidirectional characters, line separators and lone surrogates, which is what
    undecodable bytes of a header become and no database takes.
    """
    return text if text and len(text) <= MAX_REF and text.isprintable() else None


def wait_of(value: object) -> float | None:
    """A wait in seconds out of JSON, at most a day; None where it is no positive number. Never raises."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:  # "not >" is true of NaN
        return None
    return float(min(value, MAX_WAIT))  # in this order: float() of a long integer overflows
