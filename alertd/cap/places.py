"""The paths of `rules.check` → lines of the document an alert was read from."""

from collections.abc import Iterable, Iterator

from lxml import etree

from alertd.cap.notes import line
from alertd.cap.rules import Fault, Path
from alertd.cap.vocabulary import local
from alertd.domain.signal import Violation


def located(element: etree._Element, faults: Iterable[Fault]) -> Iterator[Violation]:
    """The faults with the lines of `element`, the alert they were found in."""
    places = _Places(element)
    for fault in faults:
        yield Violation(line(places.at(fault.path)), fault.message)


class _Places:
    """Elements by their paths. The children of an element are looked through once, for there may be thousands of faults
    in thousands of them."""

    def __init__(self, element: etree._Element) -> None:
        self._element = element
        self._known: dict[Path, dict[str, list[etree._Element]]] = {}

    def at(self, path: Path) -> etree._Element:
        """The element a path names; the nearest above where it is missing."""
        element, above = self._element, path[:0]
        steps = iter([*path, 0] if path and isinstance(path[-1], str) else path)
        for name, number in zip(steps, steps, strict=True):
            found = self._children(element, above).get(str(name), [])
            if not isinstance(number, int) or number >= len(found):
                break
            element, above = found[number], (*above, name, number)
        return element

    def _children(self, element: etree._Element, path: Path) -> dict[str, list[etree._Element]]:
        if path not in self._known:
            children: dict[str, list[etree._Element]] = {}
            for child in element:
                children.setdefault(local(child.tag), []).append(child)
            self._known[path] = children
        return self._known[path]
