"""From the options of `alertd send`, or from a file, to what is posted."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from alertd.cli.client import Body
from alertd.cli.errors import WRONG_USAGE, Failure
from alertd.domain.alert import Category, Certainty, Purpose, Severity, Status, Urgency

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_XML_SUFFIXES = frozenset({".xml", ".cap"})


@dataclass(frozen=True, slots=True)
class Words:
    """One Info in one language, as typed on a command line."""

    status: Status
    event: str
    zones: Sequence[str]
    language: str | None
    headline: str | None
    description: str | None
    instruction: str | None
    category: Category
    urgency: Urgency
    severity: Severity
    certainty: Certainty
    expires: str | None
    purpose: Purpose
    channels: Sequence[str]


def alert_of(words: Words, now: datetime) -> dict[str, Any]:
    """The JSON of `POST /v1/alerts`. What was not said is left out, so that the server's defaults hold."""
    info = {
        "language": words.language,
        "category": [words.category],
        "event": words.event,
        "urgency": words.urgency,
        "severity": words.severity,
        "certainty": words.certainty,
        "expires": end_of(words.expires, now) if words.expires else None,
        "headline": words.headline,
        "description": words.description,
        "instruction": words.instruction,
        "area": [{"zone": zone} for zone in words.zones],
    }
    return {
        "purpose": words.purpose,
        "status": words.status,
        "channels": list(words.channels) or None,
        "info": [{key: value for key, value in info.items() if value is not None}],
    }


def end_of(text: str, now: datetime) -> str:
    """`90m`, `6h`, `2d` from now, or an RFC 3339 time with its offset; as RFC 3339. Raises Failure."""
    if match := re.fullmatch(r"(\d{1,4})([mhd])", text):
        return (now + timedelta(**{_UNITS[match[2]]: int(match[1])})).isoformat(timespec="seconds")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise Failure(
            f"--expires {text} is not a time: 90m, 6h, 2d, or 2026-11-22T23:59:00+01:00 with its offset", WRONG_USAGE
        )
    return moment.isoformat(timespec="seconds")


def body_of(file: Path) -> Body:
    """A JSON or CAP document as it is; `-` is standard input. Raises Failure."""
    try:
        data = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise Failure(f"--file {file} cannot be read: {error.strerror}", WRONG_USAGE) from None
    if not data.strip():
        raise Failure(f"--file {file} is empty", WRONG_USAGE)
    is_xml = file.suffix.lower() in _XML_SUFFIXES or data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    return Body(data, "application/cap+xml" if is_xml else "application/json")


def now() -> datetime:
    return datetime.now(UTC).astimezone()
