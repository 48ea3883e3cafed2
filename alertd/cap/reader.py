"""Bytes → every alert in them: CAP 1.2, 1.1 and 1.0, alone, in an EDXL-DE envelope or several in one file.

Lenient: what is out of order, misspelt or missing is a violation with its line, and what can be read is read. But
nothing is widened or made up: without identifier, sender, sent, status, msgType or scope, or with one that is not
CAP's, there is no alert; a broken shape is no shape; a time that is none is no time. What an XML schema cannot say is
`rules.check`'s business.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from lxml import etree

from alertd.cap import takes
from alertd.cap.context import Context, Document, Step, steps, walk
from alertd.cap.document import STANDARD, Limits, Refused, bounded, parse
from alertd.cap.head import ended, exact, identity, references, sent, signature
from alertd.cap.notes import line, shown
from alertd.cap.parts import info
from alertd.cap.vocabulary import ALERT, DEFAULT_LANGUAGE, SIGNATURE, VERSIONS, local, namespace_of
from alertd.domain.alert import Alert, MsgType, Scope, Status
from alertd.domain.signal import Violation


@dataclass(frozen=True, slots=True)
class Found:
    """One alert of a document. `alert` is None where it was refused; then one of the violations is fatal and says why.

    Its `id` is empty, its areas have no zones: both are ours to give. `signed`: it carries a signature, of which
    nothing is known here (see `signature.verify`). `element` is where it stood, for `rules.check`.
    """

    alert: Alert | None
    violations: tuple[Violation, ...]
    version: str
    signed: bool
    element: etree._Element = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a document holds. `violations` are those of the document itself; with a fatal one it was not read (to its
    end, where alerts were found)."""

    found: tuple[Found, ...]
    violations: tuple[Violation, ...] = ()

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """Those that could be read."""
        return tuple(one.alert for one in self.found if one.alert is not None)

    def every_violation(self) -> tuple[Violation, ...]:
        return (*self.violations, *(violation for one in self.found for violation in one.violations))


def read(data: bytes, *, limits: Limits = STANDARD, language: str | None = None) -> Reading:
    """Never raises for what the bytes hold. `language` is what an info without one speaks (the schema: en-US)."""
    try:
        root = parse(data, limits)
        document = Document(limits, language or DEFAULT_LANGUAGE)
        return _alone(root, document) if local(root.tag) == "alert" else _several(root, document)
    except Refused as error:
        return Reading((), (Violation(f"line {error.line}", str(error), fatal=True),))


def _several(root: etree._Element, document: Document) -> Reading:
    limits = document.limits
    bounded(root, limits)
    found: list[Found] = []
    for element, envelope in _within(root):
        if len(found) == limits.alerts:
            more = Violation(line(element), f"more than {limits.alerts} alerts: the rest is not read", fatal=True)
            return Reading(tuple(found), (more,))
        context = Context(element, namespace_of(element.tag), document)
        found.append(_found(context, element, envelope))
    if not found:
        none = f"there is no CAP alert in this {local(root.tag)[:40]}"
        return Reading((), (Violation(line(root), none, fatal=True),))
    return Reading(tuple(found))


def _alone(root: etree._Element, document: Document) -> Reading:
    namespace = namespace_of(root.tag)
    if namespace not in VERSIONS:
        return Reading((), (Violation(line(root), f"namespace {shown(namespace)} is none of CAP's", fatal=True),))
    context = Context(root, namespace, document)
    found = _found(context, root, None)
    if context.odd:
        bounded(root, document.limits)
    return Reading((found,))


def _within(root: etree._Element) -> Iterator[tuple[etree._Element, etree._Element | None]]:
    """Alerts that do not stand in another one, each with its EDXL-DE envelope."""
    for element in root.iter(*(tag for tag in _ALERTS if tag.startswith("{"))):
        above = list(element.iterancestors())
        if not any(ancestor.tag in _ALERTS for ancestor in above):
            yield element, next((one for one in above if local(one.tag) == "EDXLDistribution"), None)


def _found(context: Context, element: etree._Element, envelope: etree._Element | None) -> Found:
    namespace = context.tags.namespace
    if not namespace:
        context.notes.add(element, "alert has no namespace; read as CAP 1.2")
    got = walk(context, element, _ALERT[namespace])
    signed = got.pop("signature", False)
    alert = ended(context, element, got)
    if alert is not None and envelope is not None and (said := _contradicts(envelope, alert.status)):
        context.notes.refuse(envelope, said)
        alert = None
    return Found(alert, context.notes.all(), context.version, signed, element)


def _contradicts(envelope: etree._Element, status: Status) -> str:
    """An exercise's envelope around an alert that calls itself real (EDXL-DE 1.0, distributionStatus): nobody can
    know which is right."""
    said = (envelope.findtext("{*}distributionStatus") or "").strip()
    if not status.is_real or said in {"", Status.ACTUAL.value}:
        return ""
    return f"the envelope's distributionStatus is {shown(said)} and the alert's status Actual; it is not read"


_ALERTS: Final = {f"{{{namespace}}}alert" if namespace else "alert" for namespace in VERSIONS}


def _words(kind: type[StrEnum]) -> Mapping[str, StrEnum]:
    return {member.value: member for member in kind}


_FIELDS: Final[dict[str, Step]] = {
    "identifier": ("identifier", identity, None),
    "sender": ("sender", identity, None),
    "sent": ("sent", sent, None),
    "status": ("status", exact(_words(Status)), None),
    "msgType": ("msg_type", exact(_words(MsgType)), None),
    "password": ("password", takes.ignored, None),
    "source": ("source", None, None),
    "scope": ("scope", exact(_words(Scope)), None),
    "restriction": ("restriction", None, None),
    "addresses": ("addresses", None, None),
    "code": ("code", takes.texts, None),
    "note": ("note", None, None),
    "references": ("references", references, None),
    "incidents": ("incidents", None, None),
    "info": ("info", None, info),
}
_ALERT: Final = {
    namespace: {**table, SIGNATURE: (len(ALERT), "signature", None, signature)}
    for namespace, table in steps(ALERT, _FIELDS).items()
}
