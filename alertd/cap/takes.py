"""How the children of an alert are read that are more than a text which stands once."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from lxml import etree

from alertd.cap.context import Context, Text, Values, repeated, text_within
from alertd.cap.making import blank
from alertd.cap.moments import moment, strict
from alertd.cap.notes import shown
from alertd.cap.shapes import Unreadable, circle, feet, polygon
from alertd.cap.vocabulary import VERY_LIKELY, local
from alertd.domain.alert import Certainty, Pair
from alertd.domain.geo import Polygon

_MOST_DIGITS: Final = 40
_LONGEST_WORD: Final = 100
_Pair: Final = blank(Pair)


def texts(_context: Context, _child: etree._Element, text: str, field: str, got: Values) -> None:
    got.setdefault(field, []).append(text)


def pair(context: Context, child: etree._Element, field: str, got: Values) -> None:
    """`valueName` and `value`; CAP 1.0 wrote `name=value` as the text."""
    below, tags = context.below, context.tags
    if len(child) == 2:  # noqa: PLR2004  the two
        name = next(below)
        if name.tag == tags.value_name and not len(name):
            value = next(below)
            if value.tag == tags.value and not len(value):
                made = _Pair()
                made.value_name, made.value = name.text or "", value.text or ""
                made.__class__ = Pair
                if field in got:
                    got[field].append(made)
                else:
                    got[field] = [made]
                return
            context.passed(child, 2)
        else:
            context.passed(child, 1)
    else:
        context.passed(child)
    got.setdefault(field, []).append(_odd_pair(context, child))


def _odd_pair(context: Context, child: etree._Element) -> Pair:
    if not len(child):
        name, equals, value = (child.text or "").partition("=")
        if not equals or context.version != "1.0":
            context.notes.add(child, f"{local(child.tag)} has no valueName and value")
        return Pair(name, value) if equals else Pair("", name)
    names, values = child.findall(context.tags.value_name), child.findall(context.tags.value)
    if len(names) != 1 or len(values) != 1 or len(child) != 2 or child[0] is not names[0]:  # noqa: PLR2004
        context.notes.add(child, f"{local(child.tag)} wants one valueName, then one value, and nothing else")
    return Pair(*(text_within(context, found[0]) if found else "" for found in (names, values)))


def word(known: Mapping[str, StrEnum]) -> Text:
    """One of an enumeration. What is not known is left out: the caller has a word for that, or refuses."""

    def take(context: Context, child: etree._Element, text: str, field: str, got: Values) -> None:
        if field in got:
            repeated(context, child)
        else:
            got[field] = known.get(text) or _lenient(context, child, text, known, "read as Unknown")

    return take


def words(known: Mapping[str, StrEnum]) -> Text:
    """Any number of an enumeration; an unknown one is not read."""

    def take(context: Context, child: etree._Element, text: str, field: str, got: Values) -> None:
        found = got.setdefault(field, [])
        if member := known.get(text) or _lenient(context, child, text, known, "not read"):
            found.append(member)

    return take


def _lenient(
    context: Context, child: etree._Element, text: str, known: Mapping[str, StrEnum], otherwise: str
) -> StrEnum | None:
    """The member that was surely meant: other letters' case, blanks around it."""
    name = local(child.tag)
    meant = " ".join(text.strip()[:_LONGEST_WORD].split())
    if meant == VERY_LIKELY and Certainty.LIKELY in known.values():
        if context.version != "1.0":
            context.notes.add(child, f"certainty 'Very Likely' is CAP 1.0's; {context.version} says 'Likely'")
        return Certainty.LIKELY
    for member in known.values():
        if member.value.casefold() == meant.casefold():
            context.notes.add(child, f"{name} {shown(text)} is read as {member.value!r}")
            return member
    what = f"{shown(text)} is none of" if meant else "is empty, and should be one of"
    context.notes.add(child, f"{name} {what} {', '.join(known)}; {otherwise}", fatal=True)
    return None


def time(context: Context, child: etree._Element, text: str, field: str, got: Values) -> None:
    if field in got:
        repeated(context, child)
        return
    if (known := strict(text)) is not None:
        got[field] = known
        return
    got[field], fault = moment(text, exact=context.strict)
    if fault:
        said = shown(text) if text.strip() else "that is empty"
        context.notes.add(child, f"{local(child.tag)} {said} {fault}", fatal=got[field] is None)


def drawn(context: Context, child: etree._Element, text: str, field: str, got: Values) -> None:
    """A polygon. Translations repeat the same ones: each text is read once."""
    rings = context.document.rings
    try:
        ring = rings[text]
    except KeyError:
        ring = rings[text] = _ring(context, child, text)
    else:
        if ring is None:
            context.notes.add(child, "polygon: the same again that could not be read", fatal=True)
    if ring is not None:
        got.setdefault(field, []).append(ring)


def _ring(context: Context, child: etree._Element, text: str) -> Polygon | None:
    left = context.document.limits.points - context.document.points
    try:
        ring = polygon(text, min(left, context.document.limits.polygon_points))
    except Unreadable as error:
        empty = not text or text.isspace()
        context.notes.add(child, "polygon is empty" if empty else f"{error}; it is not read", fatal=not empty)
        return None
    context.document.points += text.count(",")
    return ring


def round_(context: Context, child: etree._Element, text: str, field: str, got: Values) -> None:
    try:
        got.setdefault(field, []).append(circle(text))
    except Unreadable as error:
        context.notes.add(child, f"{error}; it is not read", fatal=True)


def height(context: Context, child: etree._Element, text: str, field: str, got: Values) -> None:
    if field in got:
        repeated(context, child)
        return
    got[field] = feet(text)
    if got[field] is None:
        said = f"{local(child.tag)} {shown(text)}"
        context.notes.add(child, f"{said} is not a number of feet; it is not read", fatal=True)


def size(context: Context, child: etree._Element, text: str, field: str, got: Values) -> None:
    if field in got:
        repeated(context, child)
        return
    text = text.strip()
    digits = text.removeprefix("+").removeprefix("-")
    good = digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS and len(text) - len(digits) <= 1
    got[field] = int(text) if good else None
    if not good:
        context.notes.add(child, f"size {shown(text)} is not a number of bytes; it is not read", fatal=True)


def embedded(context: Context, child: etree._Element, text: str, field: str, got: Values) -> None:
    """A file in base64, kept as the text it is."""
    if field in got:
        repeated(context, child)
        return
    if len(text) > context.document.limits.base64:
        most = context.document.limits.base64
        context.notes.add(child, f"derefUri has {len(text):,} characters; at most {most:,} are read", fatal=True)
    else:
        got[field] = text


def ignored(context: Context, child: etree._Element, _text: str, _field: str, _got: Values) -> None:
    """`password` of CAP 1.0: means to be no one's business, and the model has no place for it."""
    if context.version != "1.0":
        context.notes.add(child, f"{local(child.tag)} is CAP 1.0's; it is not read")
