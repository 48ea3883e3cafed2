"""What all elements of one alert are read with, and the walk over an element's children.

Written for speed: one pass over all elements, since lxml makes an object of each that is looked at; one dictionary for
what they are, and nothing looked up that only a violation needs.
"""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final

from lxml import etree

from alertd.cap.document import Limits
from alertd.cap.notes import Notes, shown
from alertd.cap.vocabulary import LATEST, VERSIONS, local, namespace_of
from alertd.domain.geo import Polygon

Values = dict[str, Any]
"""What was read, by the name of the domain's field; a list where there may be several."""


class Document:
    """What the alerts of one document share. `rings` are its polygons by their texts, None for what could not be read;
    `points`, how many they have together."""

    __slots__ = ("language", "limits", "points", "rings")

    def __init__(self, limits: Limits, language: str) -> None:
        self.limits = limits
        self.language = language
        self.rings: dict[str, Polygon | None] = {}
        self.points = 0


class Context:
    """One alert's reading. `below` walks through all its elements in the order of the document: who reads an element
    takes from it what stands inside. `odd`: it holds elements that CAP has not."""

    __slots__ = ("below", "document", "notes", "odd", "strict", "tags", "version")

    def __init__(self, element: etree._Element, namespace: str, document: Document) -> None:
        self.below = element.iterdescendants("*")
        self.notes = Notes()
        self.version = VERSIONS[namespace]
        self.strict = self.version == LATEST
        self.tags = TAGS[namespace]
        self.document = document
        self.odd = False

    def passed(self, element: etree._Element, taken: int = 0) -> None:
        """Goes past all that stands in an element, of which so many were taken already."""
        if not len(element):
            return
        inside = sum(1 for _ in element.iterdescendants("*"))
        for _ in islice(self.below, inside - taken):
            pass


Text = Callable[[Context, etree._Element, str, str, Values], None]  # noqa: SLF001  lxml's own name for its type
"""Reads an element that holds a text: with that text, and the field."""
Whole = Callable[[Context, etree._Element, str, Values], None]  # noqa: SLF001
"""Reads an element that holds others, and takes them from `Context.below`, all of them."""


Step = tuple[str, Text | None, Whole | None]
"""Which field an element becomes, and by whom it is read; by neither: it is a text that may stand once."""
Steps = Mapping[str, tuple[int, str, Text | None, Whole | None]]
"""The steps of all that may stand in an element, by tag, each with its place in the schema's order."""


class Tags:
    """Tags of one namespace, made once."""

    __slots__ = ("namespace", "value", "value_name")

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.value_name = qualified(namespace, "valueName")
        self.value = qualified(namespace, "value")


def qualified(namespace: str, name: str) -> str:
    return f"{{{namespace}}}{name}" if namespace else name


TAGS: Final = {namespace: Tags(namespace) for namespace in VERSIONS}


def steps(order: tuple[str, ...], fields: Mapping[str, Step]) -> Mapping[str, Steps]:
    """The table of an element's children for each namespace."""
    return {
        namespace: {qualified(namespace, name): (rank, *fields[name]) for rank, name in enumerate(order)}
        for namespace in VERSIONS
    }


def walk(context: Context, element: etree._Element, table: Steps) -> Values:
    """Every child once, in the order of the document; what is out of the schema's order is read all the same."""
    got: Values = {}
    top, late = 0, None
    for child in islice(context.below, len(element)):
        step = table.get(child.tag)
        if step is None:
            _unknown(context, element, child)
            continue
        rank, field, read_text, read_whole = step
        if rank < top:
            late = _misplaced(context, child, table, top, late or set())
        else:
            top = rank
        if read_whole is not None:
            read_whole(context, child, field, got)
            continue
        text = _marked_up(context, child) if len(child) else child.text or ""
        if read_text is not None:
            read_text(context, child, text, field, got)
        elif field in got:
            repeated(context, child)
        else:
            got[field] = text
    return got


def _unknown(context: Context, parent: etree._Element, child: etree._Element) -> None:
    context.odd = True
    context.passed(child)
    name, namespace = local(child.tag), namespace_of(child.tag)
    where = f" of namespace {shown(namespace)}" if namespace != context.tags.namespace else ""
    context.notes.add(child, f"{name[:60]}{where} is not an element of {local(parent.tag)} and is not read", fatal=True)


def _misplaced(context: Context, child: etree._Element, table: Steps, top: int, late: set[str]) -> set[str]:
    if child.tag not in late:
        late.add(child.tag)
        before = next(tag for tag, (rank, *_) in table.items() if rank == top)
        context.notes.add(child, f"{local(child.tag)} comes after {local(before)}; CAP wants it before")
    return late


def repeated(context: Context, child: etree._Element) -> None:
    context.notes.add(child, f"{local(child.tag)} stands here a second time; only the first is read", fatal=True)


def _marked_up(context: Context, child: etree._Element) -> str:
    """The text of an element that ought to hold nothing else."""
    context.passed(child)
    return text_within(context, child)


def text_within(context: Context, child: etree._Element) -> str:
    """The text of an element all whose elements were taken."""
    if not len(child):
        return child.text or ""
    context.odd = True
    context.notes.add(child, f"{local(child.tag)} holds elements; only their text is read")
    return "".join(str(part) for part in child.itertext())
