"""The alert element itself (CAP 1.2, 3.2.1): what names a message is read exactly or not at all."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from lxml import etree

from alertd.cap.context import Context, Text, Values, repeated
from alertd.cap.making import maker
from alertd.cap.moments import moment, strict
from alertd.cap.notes import shown
from alertd.cap.vocabulary import local
from alertd.cap.writer import PURPOSE_CODE
from alertd.domain.alert import Alert, Purpose, Reference

_NEEDED: Final = {
    "identifier": "identifier",
    "sender": "sender",
    "sent": "sent",
    "status": "status",
    "msg_type": "msgType",
    "scope": "scope",
}
_PURPOSES: Final = {f"{PURPOSE_CODE}{purpose}": purpose for purpose in Purpose}
_LEAST_FIRST: Final = (Purpose.EVENT, Purpose.SERVICE, Purpose.EMERGENCY)
_PARTS: Final = 3
_MOST_REFERENCES: Final = 2_000
_make_alert = maker(Alert)


def identity(context: Context, child: etree._Element, text: str, field: str, got: Values) -> None:
    """identifier and sender. Two different ones would be two messages."""
    if field in got:
        _twice(context, child, got[field], text)
        return
    got[field] = text.strip()
    if got[field] != text and got[field]:
        context.notes.add(child, f"{local(child.tag)} has blanks around it")


def sent(context: Context, child: etree._Element, text: str, field: str, got: Values) -> None:
    """Kept as the text it is, since references repeat it; but it must be a time."""
    text = text.strip()
    if field in got:
        _twice(context, child, got[field], text)
        return
    got[field] = text
    if not text:
        return
    if strict(text) is not None:
        return
    time, fault = moment(text, exact=context.strict)
    if time is None:
        context.notes.refuse(child, f"sent {shown(text)} {fault}")
    elif fault:
        context.notes.add(child, f"sent {shown(text)} {fault}")


def exact(known: Mapping[str, StrEnum]) -> Text:
    """status, msgType and scope: CAP's very words, for a guess might make a real alert of a test."""

    def take(context: Context, child: etree._Element, text: str, field: str, got: Values) -> None:
        if field in got:
            _twice(context, child, got[field], text)
            return
        got[field] = known.get(text)
        if got[field] is None and (meant := text.strip()):
            got[field] = known.get(meant)
            if got[field] is None:
                context.notes.refuse(child, f"{local(child.tag)} {shown(text)} is none of {', '.join(known)}")
            else:
                context.notes.add(child, f"{local(child.tag)} has blanks around it")

    return take


def _twice(context: Context, child: etree._Element, first: str | None, text: str) -> None:
    """The same again is a slip; another one makes it a message that nobody can name or place."""
    if first == text.strip():
        context.notes.add(child, f"{local(child.tag)} stands here a second time")
    else:
        context.notes.refuse(child, f"{local(child.tag)} stands here twice, and differs: {shown(text)}")


def signature(context: Context, child: etree._Element, field: str, got: Values) -> None:
    """That there is one; 1.1 and 1.0 have no place for it."""
    if context.version != "1.2":
        context.notes.add(child, f"CAP {context.version} has no place for a Signature")
    got[field] = True
    context.passed(child)


def references(context: Context, child: etree._Element, text: str, field: str, got: Values) -> None:
    """`sender,identifier,sent` with blanks between, each byte for byte."""
    if field in got:
        repeated(context, child)
        return
    found = []
    said = text.split(None, _MOST_REFERENCES)
    if len(said) > _MOST_REFERENCES:
        said.pop()
        context.notes.add(child, f"more than {_MOST_REFERENCES:,} references; the rest is not read", fatal=True)
    for one in said:
        parts = one.split(",")
        if len(parts) == _PARTS and all(parts):
            found.append(Reference(*parts))
        else:
            context.notes.add(
                child, f"reference {shown(one)} is not 'sender,identifier,sent'; it is not read", fatal=True
            )
    if not text.strip():
        context.notes.add(child, "references is empty")
    got[field] = tuple(found)


def ended(context: Context, element: etree._Element, got: Values) -> Alert | None:
    """The alert of what was read, None if anything that names it is missing."""
    if missing := [name for field, name in _NEEDED.items() if not got.get(field)]:
        context.notes.refuse(element, f"alert without {', '.join(missing)}; it is not read")
    if context.notes.refused:
        return None
    got["info"] = tuple(got.get("info", ()))
    got["code"], got["purpose"] = _purpose(context, element, got.get("code", ()))
    got["id"] = ""
    return _make_alert(got)


def _purpose(context: Context, element: etree._Element, codes: Sequence[str]) -> tuple[tuple[str, ...], Purpose]:
    """Codes without the one by which the writer says the purpose; of several the least urgent."""
    if not codes:
        return (), Purpose.EMERGENCY
    said = {_PURPOSES[code] for code in codes if code in _PURPOSES}
    rest = tuple(code for code in codes if code not in _PURPOSES)
    for code in rest:
        if code.startswith(PURPOSE_CODE):
            context.notes.add(element, f"code {shown(code)} names no purpose of alertd; read as emergency")
    if len(said) > 1:
        context.notes.add(element, "several codes name a purpose; the least urgent is read")
    return rest, next((purpose for purpose in _LEAST_FIRST if purpose in said), Purpose.EMERGENCY)
