"""Subscribers as CSV (RFC 4180): one endpoint a row, one row a line.

A line break inside a cell is refused. Rows one after the other with the same `id` are one subscriber. `zones`
and `purposes` are separated by `|`. A cell that a spreadsheet would take for a formula (CWE-1236) is written
with a leading apostrophe, and so is one that begins with an apostrophe; reading takes it away again, so that
what was exported is imported as it was. A comma or a semicolon may separate the columns.
"""

import csv
import io
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Final

import orjson

from alertd.core.citizens.transfer import MAX_LINE, Row, lines
from alertd.domain.subscriber import Subscriber

COLUMNS: Final = (
    "id",
    "language",
    "zones",
    "purposes",
    "min_severity",
    "cohort",
    "channel",
    "address",
    "state",
    "consent_source",
    "consent_given_at",
    "consent_confirmed_at",
)
_NEEDED = ("language", "zones", "channel", "address")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
_CONSENT = ("source", "given_at", "confirmed_at")
_UNREADABLE = dict.fromkeys((*range(32), 127))


async def read_csv(chunks: AsyncIterable[bytes]) -> AsyncIterator[Row]:
    """A Row for each subscriber or bad line. Without a good first line, one error and nothing more."""
    header: Sequence[str] = ()
    delimiter = ","
    pending: Row | None = None
    async for number, line in lines(chunks):
        cells = _cells(line, delimiter if header else _delimiter(line))
        if not header:
            if isinstance(cells, str) or (fault := _header_fault(cells)):
                yield Row(number, None, cells if isinstance(cells, str) else fault)
                return
            header, delimiter = [c.strip().lower() for c in cells], _delimiter(line)
            continue
        if not cells:
            continue
        row = Row(number, None, cells) if isinstance(cells, str) else _csv_row(number, header, cells)
        if pending is not None and (joined := _joined(pending, row)):
            pending = joined
            continue
        if pending is not None:
            yield pending
        pending = row
    if pending is not None:
        yield pending


def _cells(line: bytes | None, delimiter: str) -> list[str] | str:
    """The cells of a line, none for an empty one, or what is wrong with it."""
    if line is None:
        return f"longer than {MAX_LINE} bytes"
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return "not UTF-8: save the file as UTF-8"
    if not text.strip():
        return []
    try:
        return [_unguarded(cell) for cell in next(csv.reader([text], delimiter=delimiter, strict=True))]
    except csv.Error as error:
        return f"not CSV: {error}"


def _delimiter(line: bytes | None) -> str:
    return ";" if line and line.count(b";") > line.count(b",") else ","


def _header_fault(cells: Sequence[str]) -> str:
    names = [cell.strip().lower() for cell in cells]
    if missing := [name for name in _NEEDED if name not in names]:
        return f"the first line must name the columns; missing: {', '.join(missing)}"
    if unknown := [name for name in names if name not in COLUMNS]:
        return f"unknown columns: {', '.join(unknown)}; there are {', '.join(COLUMNS)}"
    return "a column is named twice" if len(set(names)) < len(names) else ""


def _csv_row(number: int, header: Sequence[str], cells: Sequence[str]) -> Row:
    if len(cells) != len(header):
        return Row(number, None, f"{len(cells)} cells where the first line names {len(header)} columns")
    given = {name: cell for name, cell in zip(header, cells, strict=True) if cell}
    fields: dict[str, Any] = {
        name: given[name] for name in ("id", "language", "min_severity", "cohort") if name in given
    }
    for name in ("zones", "purposes"):
        if name in given:
            fields[name] = [part.strip() for part in given[name].split("|") if part.strip()]
    try:
        fields["endpoints"] = [_endpoint(given)]
    except orjson.JSONDecodeError as error:
        return Row(number, None, f"address: not a push subscription: {error}")
    consent = {name: given[f"consent_{name}"] for name in _CONSENT if f"consent_{name}" in given}
    return Row(number, fields | ({"consent": consent} if consent else {}))


def _endpoint(given: Mapping[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {name: given[name] for name in ("channel", "state") if name in given}
    address = given.get("address", "")
    if address.startswith("{"):
        return fields | {"subscription": orjson.loads(address)}
    return fields | ({"address": address} if address else {})


def _joined(first: Row, second: Row) -> Row | None:
    """Both as one subscriber, where they say the same of one id."""
    if first.fields is None or second.fields is None or not first.fields.get("id"):
        return None
    a, b = dict(first.fields), dict(second.fields)
    endpoints = a.pop("endpoints") + b.pop("endpoints")
    return Row(first.line, a | {"endpoints": endpoints}) if a == b else None


async def write_csv(subscribers: AsyncIterator[Subscriber]) -> AsyncIterator[bytes]:
    yield _line(COLUMNS)
    async for subscriber in subscribers:
        for row in _rows(subscriber):
            yield _line(row)


def _rows(subscriber: Subscriber) -> Iterator[Sequence[str]]:
    wants, consent = subscriber.preference, subscriber.consent
    for endpoint in subscriber.endpoints:
        yield (
            subscriber.id,
            wants.language,
            "|".join(wants.zones),
            "|".join(sorted(wants.purposes)),
            wants.min_severity,
            subscriber.cohort,
            endpoint.channel,
            endpoint.address,
            endpoint.state,
            consent.source,
            consent.given_at.isoformat(),
            consent.confirmed_at.isoformat() if consent.confirmed_at else "",
        )


def _line(cells: Sequence[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([_guarded(cell.translate(_UNREADABLE)) for cell in cells])
    return out.getvalue().encode()


def _guarded(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _unguarded(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_FORMULA) else cell
