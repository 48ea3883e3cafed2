"""All that is wrong with an alert as it was read: its form and CAP's rules, in the order of the document."""

from collections.abc import Iterator
from itertools import islice
from sys import maxsize

from alertd.cap.crossing import Sweeps
from alertd.cap.notes import MOST
from alertd.cap.places import located
from alertd.cap.reader import Found, Reading
from alertd.cap.rules import check
from alertd.domain.signal import Violation


def checked(found: Found, sweeps: Sweeps | None = None) -> tuple[Violation, ...]:
    """The violations of the reading and those of `rules.check`, by line; of the latter at most MOST are looked for.

    Slower than reading, for outlines are swept. `sweeps` bounds that; alerts of one document share it.
    """
    rules = () if found.alert is None else _first(located(found.element, check(found.alert, sweeps)))
    return tuple(sorted((*found.violations, *rules), key=_by_line))


def checked_all(reading: Reading) -> Iterator[tuple[Violation, ...]]:
    """The same of every alert in a document, which share one patience."""
    sweeps = Sweeps()
    return (checked(found, sweeps) for found in reading.found)


def _first(violations: Iterator[Violation]) -> Iterator[Violation]:
    yield from islice(violations, MOST)
    if next(violations, None) is not None:
        yield Violation("document", f"more than {MOST} rules are broken; the rest is not looked for")


def _by_line(violation: Violation) -> int:
    number = violation.where.removeprefix("line ")
    return int(number) if number.isdigit() else maxsize
