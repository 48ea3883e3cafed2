"""All that is wrong with an alert as it was read: its form and CAP's rules, in the order of the document."""

from sys import maxsize

from alertd.cap.reader import Found
from alertd.cap.rules import check, located
from alertd.domain.signal import Violation


def checked(found: Found) -> tuple[Violation, ...]:
    """The violations of the reading and those of `rules.check`, by line. Slower than reading: outlines are swept."""
    rules = () if found.alert is None else located(found.element, check(found.alert))
    return tuple(sorted((*found.violations, *rules), key=_by_line))


def _by_line(violation: Violation) -> int:
    number = violation.where.removeprefix("line ")
    return int(number) if number.isdigit() else maxsize
