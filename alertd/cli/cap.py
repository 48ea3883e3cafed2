"""`alertd cap check`: what is wrong with CAP documents, line by line."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from alertd.cap.check import checked_all
from alertd.cap.reader import Found, Reading, read
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
) -> None:
    """Say what each document breaks of CAP, with line numbers; exit code 1 if any does."""
    documents = [(str(file), _octets(file)) for file in files]  # before anything is said: a wrong name is wrong usage
    broken = 0
    for name, data in documents:
        reading = read(data, language=language)
        lines = list(_lines(reading))
        broken += bool(lines)
        sys.stdout.write("".join(f"{name}: {line}\n" for line in lines or (_praise(reading),)))
    if broken:
        raise Failure(f"{broken} of {len(documents)} documents break CAP." if documents[1:] else "It breaks CAP.")


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
    """One line, whatever the document's own texts in it hold."""
    message = "".join(letter if letter.isprintable() else " " for letter in violation.message)
    return f"{violation.where}: {'error' if violation.fatal else 'violation'}: {message}"


def _praise(reading: Reading) -> str:
    kinds = sorted({f"CAP {found.version}{_signed(found)}" for found in reading.found})
    count = len(reading.found)
    return f"{', '.join(kinds)}, {count} {'alert' if count == 1 else 'alerts'}, no violation"


def _signed(found: Found) -> str:
    return " with a signature (not verified here)" if found.signed else ""
