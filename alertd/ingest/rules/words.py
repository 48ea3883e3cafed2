"""How evidence is worded: plain sentences that name readings with value, unit, time and source."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from alertd.domain.signal import Signal
from alertd.domain.texts import LIMITS

_LONGEST: Final = 100


def note(evidence: Iterable[str]) -> str:
    """The sentences as the `note` of an alert, as many whole ones as its limit takes."""
    text = ""
    for sentence in evidence:
        longer = f"{text} {sentence}." if text else f"{sentence}."
        if len(longer) > LIMITS["note"]:
            break
        text = longer
    return text


def clean(text: str) -> str:
    """A stranger's word, short and on one line."""
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 1]}…"
    return text if text.isprintable() else "".join(c if c.isprintable() else "�" for c in text)


def amount(value: float, unit: str) -> str:
    return f"{value:.10g} {unit}" if unit else f"{value:.10g}"


def length(seconds: float) -> str:
    """`90 s`, `10 min`, `3 h`: in the largest unit in which it is a whole number or above ten."""
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 10 * size or (seconds >= size and seconds % size == 0):
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def second(at: float) -> str:
    """A time kept as seconds since 1970."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def reading(signal: Signal) -> str:
    """`pesa-1 (pesa) read 2.61 m at 2026-11-22T06:00:00+01:00`."""
    value = "no value" if signal.value is None else amount(signal.value, clean(signal.unit))
    return f"{clean(signal.sensor or signal.key)} ({signal.source}) read {value} at {moment(signal.at)}"


def saying(signal: Signal) -> str:
    """`dpc said "Temporali" (gialla, Moderate) for Tosc-A1 at …, signature valid: CN=…`."""
    parts = [word for word in (signal.colour, signal.severity, signal.phase) if word]
    if signal.value is not None:
        parts.append(amount(signal.value, clean(signal.unit)))
    graded = f" ({', '.join(map(clean, parts))})" if parts else ""
    where = f" for {clean(', '.join(signal.zones))}" if signal.zones else ""
    about = clean(signal.event or signal.headline or signal.key)
    signed = f", signature {clean(signal.signature)}" if signal.signature else ""
    return f'{signal.source} said "{about}"{graded}{where} at {moment(signal.at)}{signed}'
