"""`alertd cap check`: what is wrong with CAP documents, line by line."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from alertd.cap.check import checked_all
from alertd.cap.proving import Proven, read_proven
from alertd.cap.reader import Reading
from alertd.cap.trust import Certificate, Trust, load_anchors
from alertd.cli.errors import WRONG_USAGE, Failure
from alertd.domain.signal import Violation

app = typer.Typer(help="CAP documents.", no_args_is_help=True)


@app.callback()
def cap() -> None:
    """CAP documents."""


@app.command("check")
def check(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="CAP documents; - is standard input.")],
    language: Annotated[
        str | None, typer.Option("--language", help="What an info without a language speaks. [the schema: en-US]")
    ] = None,
    trusted: Annotated[
        Path | None,
        typer.Option(
            "--trusted", help="Certificates (PEM) of those whose signatures are believed, or their authorities."
        ),
    ] = None,
) -> None:
    """Say what each document breaks of CAP, with line numbers, and what its signature is worth; exit code 1 if any
    breaks it or is not what was signed."""
    trust = Trust(_anchors(trusted))
    documents = [(str(file), _octets(file)) for file in files]  # before anything is said: a wrong name is wrong usage
    broken = 0
    for name, data in documents:
        proven = read_proven(data, trust, datetime.now(UTC), language=language)
        lines = list(_lines(proven.reading))
        broken += bool(lines or proven.doubt)
        said = (*(lines or (_praise(proven.reading),)), *_signature(proven))
        sys.stdout.write("".join(f"{name}: {line}\n" for line in said))
    if broken:
        raise Failure(f"{broken} of {len(documents)} documents break CAP." if documents[1:] else "It breaks CAP.")


def _anchors(file: Path | None) -> tuple[Certificate, ...]:
    if file is None:
        return ()
    try:
        return load_anchors(_octets(file))
    except ValueError as error:
        raise Failure(f"{file} {error}", WRONG_USAGE) from None


def _octets(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}", WRONG_USAGE) from None


def _lines(reading: Reading) -> Iterator[str]:
    yield from map(_line, reading.violations)
    for violations in checked_all(reading):
        yield from map(_line, violations)


def _line(violation: Violation) -> str:
    return f"{violation.where}: {'error' if violation.fatal else 'violation'}: {_plain(violation.message)}"


def _signature(proven: Proven) -> Iterator[str]:
    if proven.doubt:
        yield f"signature: error: {_plain(proven.doubt)}"
    elif proven.said:
        yield f"signature: {_plain(proven.said)}"


def _plain(text: str) -> str:
    """One line, whatever the document's own texts in it hold."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _praise(reading: Reading) -> str:
    kinds = sorted({f"CAP {found.version}" for found in reading.found})
    count = len(reading.found)
    return f"{', '.join(kinds)}, {count} {'alert' if count == 1 else 'alerts'}, no violation"
