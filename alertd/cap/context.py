"""What all elements of one alert are read with, and the walk over an element's children.

Written for speed: one pass over the children, one dictionary for what they are, and nothing looked up that only a
violation needs.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from lxml import etree

from alertd.cap.document import Limits
from alertd.cap.notes import Notes, shown
from alertd.cap.vocabulary import LATEST, VERSIONS, local, namespace_of
from alertd.domain.geo import Polygon

Values = dict[str, Any]
"""What was read, by the name of the domain's field; a list where there may be several."""


class Context:
    """One alert's reading. `spent` are the points of polygons read so far; `odd`: it holds
    elements that CAP has not."""

    __slots__ = ("drawn", "language", "limits", "notes", "odd", "spent", "strict", "tags", "version")

    def __init__(self, namespace: str, limits: Limits, language: str) -> None:
        self.notes = Notes()
        self.version = VERSIONS[namespace]
        self.strict = self.version == LATEST
        self.tags = TAGS[namespace]
        self.limits = limits
        self.language = language
        self.drawn: dict[str, Polygon | None] = {}
        self.spent = 0
        self.odd = False


Take = Callable[[Context, etree._Element, str, Values], None]  # noqa: SLF001  lxml's own name for its type
Step = tuple[int, str, Take | None]
"""Its place in the order, the field, and who reads it: None for a text that may stand once."""
Steps = Mapping[str, Step]


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


def steps(order: tuple[str, ...], fields: Mapping[str, tuple[str, Take | None]]) -> Mapping[str, Steps]:
    """The table of an element's children for each namespace."""
    return {
        namespace: {qualified(namespace, name): (rank, *fields[name]) for rank, name in enumerate(order)}
        for namespace in VERSIONS
    }


def walk(context: Context, element: etree._Element, table: Steps) -> Values:
    """Every child once, in the order of the document; what is out of the schema's order is read all the same."""
    got: Values = {}
    top, late = 0, None
    for child in element:
        step = table.get(child.tag)
        if step is None:
            _unknown(context, element, child)
            continue
        rank, field, take = step
        if rank < top:
            late = _misplaced(context, child, table, top, late or set())
        else:
            top = rank
        if take is not None:
            take(context, child, field, got)
        elif field in got:
            repeated(context, child)
        elif len(child):
            got[field] = marked_up(context, child)
        else:
            got[field] = child.text or ""
    return got


def _unknown(context: Context, parent: etree._Element, child: etree._Element) -> None:
    context.odd = True
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


def marked_up(context: Context, child: etree._Element) -> str:
    """The text of an element that ought to hold nothing else."""
    context.odd = True
    context.notes.add(child, f"{local(child.tag)} holds elements; only their text is read")
    return "".join(str(part) for part in child.itertext())


def text_of(context: Context, child: etree._Element) -> str:
    return marked_up(context, child) if len(child) else child.text or ""
