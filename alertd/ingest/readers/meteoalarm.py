"""MeteoAlarm's warnings API: `{"warnings": [{"alert": {CAP as JSON}, "uuid": …}]}`.

A Signal here is one statement about one zone: what one alert says in all its languages of one awareness type in one
region for one period. Its key is the CAP identity the matter began with, the type and the zone:
`sender,identifier,sent#10@IT016`. An Update takes the key of the earliest message it references; where that one was
itself an Update, the facts `identity` and `references` let the chain be followed. A Cancel without infos cannot name
type and zone: its key is the identity alone, and it ends every matter whose key begins so.

Awareness levels are the weather services', not the national civil protection's: `colour` stays empty.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, Self

from pydantic import Field, field_validator, model_validator

from alertd.domain.alert import Alert, Pair, Reference, Severity
from alertd.domain.geo import Polygon
from alertd.domain.signal import Heard, Signal
from alertd.domain.texts import LIMITS
from alertd.ingest.readers.cap_json import alert_of, references_of
from alertd.ingest.readers.json_in import load, mapping, sequence
from alertd.ingest.readers.meteoalarm_statement import Statement, statements
from alertd.ingest.readers.received import Fault, Notes, Options, Received, answers
from alertd.ingest.readers.values import facts_of, line, moment, word

MAX_FEED: Final = 32 * 1024 * 1024
MAX_WARNINGS: Final = 20_000
GREEN: Final = 1
_ANSWERS: Final = ("Ack", "Error")
_EMMA_ID: Final = re.compile(r"[A-Z]{2}[0-9]{3,4}")


class Config(Options):
    """`zones` are EMMA_IDs, `polygon` a CAP polygon (`lat,lon lat,lon …`): one of them says which warnings are ours.
    `types` are awareness types (1 wind … 13 rain-flood), empty for all. Below `min_level` (2 yellow, 3 orange, 4 red)
    nothing begins, and what had begun is over. `language` of the headline, where there is a choice."""

    zones: tuple[str, ...] = ()
    polygon: str | None = None
    types: frozenset[int] = frozenset()
    min_level: int = Field(2, ge=2, le=4)
    language: str = "it"

    @field_validator("zones")
    @classmethod
    def _emma(cls, zones: tuple[str, ...]) -> tuple[str, ...]:
        for zone in zones:
            if not _EMMA_ID.fullmatch(zone):
                raise ValueError(f"{zone!r} is not an EMMA_ID, e.g. IT016")
        return zones

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if not self.zones and self.polygon is None:
            raise ValueError("needs zones or a polygon: a warning for anywhere is not ours")
        if self.polygon is not None:
            Polygon.parse(self.polygon)
        return self


class _Envelope(NamedTuple):
    """What a message says of itself."""

    identity: str
    root: str
    at: datetime
    update: bool
    cancel: bool
    simulated: bool
    facts: Mapping[str, Any]


@answers
def read(payload: bytes, config: Config, received: Received) -> Heard:
    """The signals of all warnings that concern us. `ended` where a level fell under `min_level` or was cancelled;
    `simulated` where the status is not Actual; `alert` where the message could be held whole."""
    notes = Notes()
    feed = mapping(load(payload, limit=MAX_FEED), "payload")
    warnings = sequence(feed.get("warnings"), "warnings", limit=MAX_WARNINGS)
    signals: list[Signal] = []
    for i, warning in enumerate(warnings):
        where = f"warnings[{i}].alert"
        try:
            document = mapping(mapping(warning, f"warnings[{i}]").get("alert"), where)
            signals += _warning(document, warning.get("uuid"), where, config, received, notes)
        except Fault as fault:
            notes.fault(fault)
        except ValueError as error:
            notes.lost(where, str(error))
    return notes.heard(signals)


def _warning(
    document: dict[str, Any], uuid: Any, where: str, config: Config, received: Received, notes: Notes
) -> list[Signal]:
    if document.get("msgType") in _ANSWERS:
        return []
    envelope = _envelope(document, uuid, where, received, notes)
    if envelope.cancel and not document.get("info"):
        return [_bare_cancel(envelope, received)]
    found = list(statements(document, where, config.zones, config.polygon, config.language, notes))
    signals = list(_signals(found, envelope, config, received, notes, where))
    if not signals:
        return []
    alert = _alert(document, where, notes)
    return [signal._replace(alert=alert) for signal in signals]


def _envelope(document: dict[str, Any], uuid: Any, where: str, received: Received, notes: Notes) -> _Envelope:
    sender, identifier, sent = (word(document.get(name)) for name in ("sender", "identifier", "sent"))
    try:
        at = moment(sent)
    except ValueError as error:
        notes.odd(f"{where}.sent", f"{error}: the time of arrival stands in its place")
        at = received.at
    kind = document.get("msgType")
    if kind not in ("Alert", "Update", "Cancel"):
        raise Fault(f"{where}.msgType", "is none of CAP's")
    said = document.get("references")
    try:
        references = references_of(said if isinstance(said, str) else None)
    except Fault as fault:
        notes.odd(f"{where}.references", fault.message)
        references = ()
    if kind != "Alert" and not references:
        notes.odd(f"{where}.references", f"are missing, though it is an {kind}: it stands for itself")
    identity = f"{sender},{identifier},{sent}"
    return _Envelope(
        identity=identity,
        root=_earliest(references) or identity,
        at=at,
        update=kind == "Update",
        cancel=kind == "Cancel",
        simulated=document.get("status") != "Actual",
        facts={"identity": identity, "references": " ".join(map(str, references)), "uuid": uuid, "msg_type": kind},
    )


def _earliest(references: tuple[Reference, ...]) -> str:
    def order(reference: Reference) -> tuple[bool, float]:
        try:
            return (False, moment(reference.sent).timestamp())
        except ValueError:
            return (True, 0.0)

    return word(str(min(references, key=order)), 1_000) if references else ""


def _signals(
    found: list[Statement], envelope: _Envelope, config: Config, received: Received, notes: Notes, where: str
) -> Iterator[Signal]:
    seen: dict[str, int] = {}
    for said in found:
        if config.types and said.kind not in config.types:
            continue
        ended = envelope.cancel or said.level < config.min_level
        if ended and not (envelope.cancel or envelope.update):
            continue  # nothing begins with a green one, and nothing can have begun before the first message
        key = f"{envelope.root}#{said.kind}@{said.zone}"
        seen[key] = seen.get(key, 0) + 1
        yield Signal(
            received.source,
            key=key if seen[key] == 1 else f"{key}/{seen[key]}",
            revision=_revision(said, envelope),
            at=envelope.at,
            event=line(said.info.get("event"), LIMITS["event"], notes, f"{where}.event"),
            zones=(said.zone,),
            severity=_severity(said, notes, where),
            onset=said.onset,
            expires=said.expires,
            ended=ended,
            simulated=envelope.simulated,
            headline=line(said.info.get("headline"), LIMITS["headline"], notes, f"{where}.headline"),
            facts=_facts(said, envelope, notes, where),
        )


def _revision(said: Statement, envelope: _Envelope) -> str:
    """The message and what it says: a message repeated in the next poll says the same."""
    period = "/".join(at.isoformat() if at else "" for at in (said.onset, said.expires))
    return f"{envelope.identity} level {said.level} {period}"


def _severity(said: Statement, notes: Notes, where: str) -> Severity | None:
    try:
        return Severity(said.info.get("severity", ""))
    except ValueError:
        notes.odd(f"{where}.severity", "is none of CAP's")
        return None


def _facts(said: Statement, envelope: _Envelope, notes: Notes, where: str) -> tuple[Pair, ...]:
    given = {
        "awareness_level": said.level,
        "awareness_type": said.kind,
        "awareness_level_text": said.level_text,
        "awareness_type_text": said.kind_text,
        "area": said.area,
        "language": said.info.get("language"),
        "sender_name": said.info.get("senderName"),
        "urgency": said.info.get("urgency"),
        "certainty": said.info.get("certainty"),
        "web": said.info.get("web"),
        **envelope.facts,
    }
    return facts_of(given, notes, where)


def _bare_cancel(envelope: _Envelope, received: Received) -> Signal:
    return Signal(
        received.source,
        key=envelope.root,
        revision=envelope.identity,
        at=envelope.at,
        ended=True,
        simulated=envelope.simulated,
    )


def _alert(document: dict[str, Any], where: str, notes: Notes) -> Alert | None:
    try:
        return alert_of(document)
    except Fault as fault:
        notes.odd(f"{where}: {fault.where}", f"{fault.message}; the message is not kept as CAP")
        return None
