"""What is found wrong while one alert is read."""

from typing import Any, Final

from lxml import etree

from alertd.domain.signal import Violation

MOST: Final = 200
_SHOWN: Final = 60


class Notes:
    """Violations in the order they were found, at most MOST of them: a broken generator breaks every line alike."""

    __slots__ = ("_found", "_more", "refused")

    def __init__(self) -> None:
        self._found: list[Violation] = []
        self._more = 0
        self.refused = False

    def add(self, element: etree._Element, message: str, *, fatal: bool = False) -> None:
        """`fatal`: that part of the document is not read."""
        if len(self._found) < MOST:
            self._found.append(Violation(line(element), message, fatal))
        else:
            self._more += 1

    def refuse(self, element: etree._Element, message: str) -> None:
        """The whole alert is not read."""
        if not self.refused:  # the first reason is kept whatever else was found
            self._found.append(Violation(line(element), message, fatal=True))
        self.refused = True

    def all(self) -> tuple[Violation, ...]:
        if self._more:
            return (*self._found, Violation("document", f"{self._more:,} more violations are not listed"))
        return tuple(self._found)


def line(element: etree._Element) -> str:
    number: Any = element.sourceline  # None for what no parser made
    return f"line {number or 1}"


def shown(text: str) -> str:
    """A text from the document as a message can carry it."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
