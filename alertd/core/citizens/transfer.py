"""Subscribers as text, streamed both ways: numbered lines, and NDJSON (one JSON object a line)."""

from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from alertd.domain.subscriber import Endpoint, Subscriber

MAX_LINE: Final = 64 * 1024
_RECORD_SEPARATOR = b"\x1e"


@dataclass(frozen=True, slots=True)
class Row:
    """What a line says: `fields` for a SubscriberRow, or None and the `error`; `line` counts from 1."""

    line: int
    fields: Mapping[str, Any] | None
    error: str = ""


async def lines(chunks: AsyncIterable[bytes]) -> AsyncIterator[tuple[int, bytes | None]]:
    """Numbered lines without their ends; None for one longer than 64 KiB, which is never kept whole."""
    number = 1
    kept = b""
    too_long = False
    async for chunk in chunks:
        *whole, rest = (kept + chunk).split(b"\n")
        for line in whole:
            yield number, None if too_long or len(line) > MAX_LINE else line.removesuffix(b"\r")
            number += 1
            too_long = False
        too_long = too_long or len(rest) > MAX_LINE
        kept = b"" if too_long else rest
    if kept or too_long:
        yield number, None if too_long else kept.removesuffix(b"\r")


async def read_ndjson(chunks: AsyncIterable[bytes]) -> AsyncIterator[Row]:
    """A Row for each line that is not empty; a leading record separator (RFC 7464) is passed over."""
    async for number, line in lines(chunks):
        if line is None:
            yield Row(number, None, f"longer than {MAX_LINE} bytes")
        elif text := line.lstrip(_RECORD_SEPARATOR).strip():
            yield _json_row(number, text)


def _json_row(number: int, text: bytes) -> Row:
    try:
        fields = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return Row(number, None, f"not JSON: {error}")
    if not isinstance(fields, dict):
        return Row(number, None, "not a JSON object")
    return Row(number, fields)


async def write_ndjson(subscribers: AsyncIterator[Subscriber]) -> AsyncIterator[bytes]:
    async for subscriber in subscribers:
        yield orjson.dumps(fields_of(subscriber)) + b"\n"


def fields_of(subscriber: Subscriber) -> dict[str, Any]:
    """A subscriber in the words of the contract, with the id and the consent."""
    wants, consent = subscriber.preference, subscriber.consent
    return {
        "id": subscriber.id,
        "language": wants.language,
        "zones": list(wants.zones),
        "purposes": sorted(wants.purposes),
        "min_severity": wants.min_severity,
        "cohort": subscriber.cohort,
        "endpoints": [endpoint_fields(endpoint) for endpoint in subscriber.endpoints],
        "consent": {
            "source": consent.source,
            "given_at": consent.given_at.isoformat(),
            "confirmed_at": consent.confirmed_at and consent.confirmed_at.isoformat(),
        },
    }


def endpoint_fields(endpoint: Endpoint) -> dict[str, Any]:
    """`{channel, address, state}`, or with `subscription` where the address is a push subscription."""
    fields: dict[str, Any] = {"channel": endpoint.channel, "state": endpoint.state}
    if endpoint.address.startswith("{"):
        return fields | {"subscription": orjson.loads(endpoint.address)}
    return fields | {"address": endpoint.address}
