"""`alertd ingest test`: what would be made of one payload."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from alertd.cli.errors import WRONG_USAGE, Failure
from alertd.cli.options import Config
from alertd.domain.problems import Invalid
from alertd.domain.signal import Signal, Violation
from alertd.settings import load

app = typer.Typer(help="Feeds and sensors.", no_args_is_help=True)
_MOST_SIGNALS = 200


@app.callback()
def ingest() -> None:
    """Feeds and sensors."""


@app.command("test")
def rehearse(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The name of a configured source.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="One payload; - is standard input.")],
    config: Config = None,
    topic: Annotated[str, typer.Option("--topic", help="The MQTT topic it came by.")] = "",
    at: Annotated[str, typer.Option("--at", help="When it came, e.g. 2026-01-18T16:01:00+01:00. [now]")] = "",
) -> None:
    """Read one payload as the daemon would: what it says, which rules match and why not, and what each channel would
    carry. Nothing is stored and nothing is sent. Exit code 1 where nothing of it could be read."""
    settings = load(config)
    from alertd.cli.rehearse import carried, hear, judge
    from alertd.current import current_of

    spec = settings.ingest.sources.get(source)
    if spec is None:
        known = ", ".join(settings.ingest.sources) or "none"
        raise Failure(f"There is no source {source!r}; there are {known}.", WRONG_USAGE)
    current, payload, moment = current_of(settings), _octets(file), _moment(at)
    heard, links = hear(spec, current, payload, moment, topic)
    _say(f"signals: {len(heard.signals)}, violations: {len(heard.violations)}", "")
    _say(*map(_violation, heard.violations), *(f"  would be fetched: {link}" for link in links))
    for signal in heard.signals[:_MOST_SIGNALS]:
        _say(*_signal(signal))
    for judged in judge(current, heard, moment)[:_MOST_SIGNALS]:
        said = judged.explanation
        mark = "matches" if judged.submission is not None else "does not match"
        _say(f"rule {said.rule} {mark} {judged.signal.key}")
        marks = {True: "yes", False: "no", None: "-"}
        _say(*(f"  {marks[one.holds]:3} {one.name}: {one.says}" for one in said.conditions))
        if judged.refused:
            _say(f"  no alert could be made of it: {judged.refused}")
        if judged.submission is not None:
            try:
                messages = asyncio.run(carried(current, judged.submission, moment))
            except Invalid as error:
                _say(f"  it would be refused: {error}")
                continue
            for one in messages:
                _say(f"  --- {one.channel} ({one.language})", *(f"  {line}" for line in one.text.splitlines()))
    if not heard.signals and any(violation.fatal for violation in heard.violations):
        raise Failure("Nothing of it could be read.")


def _say(*lines: str) -> None:
    """Whatever a payload holds, a line stays a line."""
    for line in lines:
        sys.stdout.write("".join(letter if letter.isprintable() else " " for letter in line) + "\n")


def _violation(violation: Violation) -> str:
    return f"  {violation.where}: {'error' if violation.fatal else 'violation'}: {violation.message}"


def _signal(signal: Signal) -> Iterator[str]:
    yield f"signal {signal.key}"
    for name, value in signal._asdict().items():
        if name in ("source", "key", "facts", "alert") or value in (None, "", (), False):
            continue
        yield f"  {name}: {_shown(value)}"
    yield from (f"  fact {fact.value_name}: {fact.value[:200]}" for fact in signal.facts)


def _shown(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)


def _octets(file: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
    except OSError as error:
        raise Failure(f"{file} cannot be read: {error.strerror}", WRONG_USAGE) from None


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text) if text else datetime.now(UTC)
    except ValueError:
        raise Failure(f"{text!r} is not a time such as 2026-01-18T16:01:00+01:00.", WRONG_USAGE) from None
    if at.tzinfo is None:
        raise Failure(f"{text!r} has no offset; write e.g. {text}+01:00.", WRONG_USAGE)
    return at
