"""CAP messages as signals: one for each set of places a message speaks of.

Its key is the identity the matter began with and what the places are: `sender,identifier,sent#3f2a…`; an Update takes
the key of the earliest message it references. Infos about the same places in several languages are one statement, and
so are several infos about the same places: the worst of them says how bad it is there. Nothing is said of a place by
an info that does not name it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from itertools import chain
from typing import Final

from alertd.cap.check import checked_all
from alertd.cap.proving import Proven, read_proven
from alertd.cap.reader import Found
from alertd.cap.trust import NOBODY, Trust
from alertd.domain.alert import Alert, Area, Info, MsgType, Pair, Reference, ResponseType, Status, last_expiry
from alertd.domain.signal import Heard, Signal
from alertd.domain.texts import LIMITS
from alertd.ingest.readers.received import Notes, Options, Received
from alertd.ingest.readers.values import moment

Locate = Callable[[Area], tuple[str, ...]]
"""The configured zones an area's shapes touch."""

_SAID: Final = frozenset({MsgType.ALERT, MsgType.UPDATE, MsgType.CANCEL})
_NEVER: Final = frozenset({Status.SYSTEM, Status.DRAFT})
_FACTS: Final = 50


class Config(Options):
    """`zones` are the codes heard (geocodes, or zones of ours that a shape touches), empty for all. `exercises` lets
    Exercise and Test through: whatever is made of them stays an Exercise or a Test."""

    zones: frozenset[str] = frozenset()
    exercises: bool = False


def nowhere(_: Area) -> tuple[str, ...]:
    """For where no zones are configured."""
    return ()


def read(payload: bytes, config: Config, received: Received) -> Heard:
    """The signals of every alert in a document."""
    return signals_in(payload, config, received)


def signals_in(
    payload: bytes,
    config: Config,
    received: Received,
    *,
    language: str | None = None,
    locate: Locate = nowhere,
    trust: Trust = NOBODY,
) -> Heard:
    """The same, with the places its shapes touch; of a signature that holds, what was signed and nothing else."""
    proven = read_proven(payload, trust, received.at, language=language)
    reading, notes = proven.reading, Notes()
    if proven.doubt:
        notes.odd("signature", proven.doubt)
    wrong = [*reading.violations, *chain.from_iterable(checked_all(reading))]
    for violation in wrong:
        (notes.lost if violation.fatal else notes.odd)(violation.where, violation.message)
    said = (signal for found in reading.found for signal in _of(found, config, received, locate))
    return notes.heard(marked(signal, proven) for signal in said)


def marked(signal: Signal, proven: Proven) -> Signal:
    """The signal with what is known of its document's signature; set apart where that does not prove it."""
    if not proven.said:
        return signal
    signal = signal._replace(signature=proven.said, unproven=bool(proven.doubt))
    return signal._replace(key=signal.apart(signal.key))


def _of(found: Found, config: Config, received: Received, locate: Locate) -> Iterator[Signal]:
    if found.alert is not None:
        doubtful = any(violation.fatal for violation in found.violations)
        for signal in signals_of(found.alert, config, received, locate):
            yield signal._replace(doubtful=doubtful)


def signals_of(alert: Alert, config: Config, received: Received, locate: Locate = nowhere) -> Iterator[Signal]:
    """Acks and Errors say nothing of the world."""
    if alert.msg_type not in _SAID:
        return
    base = _base(alert, config, received)
    if not alert.info:
        yield base
        return
    for places, infos in _statements(alert.info).items():
        zones = tuple(dict.fromkeys(zone for area in _areas(infos) for zone in (*_codes(area), *locate(area))))
        if not config.zones or config.zones.intersection(zones):
            yield _statement(base, places, zones, infos)


def _base(alert: Alert, config: Config, received: Received) -> Signal:
    """What is true of the whole message. A Cancel without infos is this alone: its key ends all that begins so."""
    identity = f"{alert.sender},{alert.identifier},{alert.sent}"
    drill = not alert.status.is_real and not config.exercises
    return Signal(
        received.source,
        key=str(_earliest(alert.references) or identity) if alert.msg_type is not MsgType.ALERT else identity,
        revision=identity,
        at=_sent(alert.sent, received.at),
        ended=alert.msg_type is MsgType.CANCEL,
        simulated=alert.status in _NEVER or drill,
        facts=(
            Pair("identity", identity),
            Pair("references", " ".join(map(str, alert.references))[: LIMITS["value"]]),
            Pair("msg_type", alert.msg_type),
            Pair("status", alert.status),
        ),
        alert=alert,
    )


def _statement(base: Signal, places: str, zones: tuple[str, ...], infos: Sequence[Info]) -> Signal:
    first = infos[0]
    ended = all(ResponseType.ALL_CLEAR in info.response_type for info in infos)
    onsets = [info.onset for info in infos if info.onset]
    return base._replace(
        key=f"{base.key}#{places}",
        event=first.event[: LIMITS["event"]],
        zones=zones,
        severity=max((info.severity for info in infos), key=lambda severity: severity.rank),
        onset=min(onsets) if onsets else None,
        expires=last_expiry(infos),
        ended=base.ended or ended,
        headline=first.headline or "",
        facts=(*base.facts, *_facts(first)),
    )


def _statements(infos: Sequence[Info]) -> dict[str, list[Info]]:
    """Infos by what their places are: order and language do not matter."""
    found: dict[str, list[Info]] = {}
    for info in infos:
        named = sorted({text for area in info.area for text in (*_pairs(area), *_shapes(area))})
        found.setdefault(sha256("\n".join(named).encode()).hexdigest()[:16], []).append(info)
    return found


def infos_about(signal: Signal) -> tuple[Info, ...]:
    """What the message a signal came with says of the signal's places, whichever reader read it; empty where it has
    none."""
    if signal.alert is None:
        return ()
    about = _statements(signal.alert.info).get(signal.key.rpartition("#")[2])
    if about is None:
        codes = frozenset(signal.zones)
        about = [info for info in signal.alert.info if codes & _all_codes(info)]
    return tuple(about)


def _all_codes(info: Info) -> frozenset[str]:
    return frozenset(code for area in info.area for code in _codes(area))


def _areas(infos: Iterable[Info]) -> Iterator[Area]:
    return (area for info in infos for area in info.area)


def _codes(area: Area) -> tuple[str, ...]:
    return tuple(pair.value for pair in area.geocodes if pair.value)


def _pairs(area: Area) -> Iterator[str]:
    return (f"{pair.value_name}={pair.value}" for pair in area.geocodes)


def _shapes(area: Area) -> Iterator[str]:
    return (str(shape) for shape in (*area.polygons, *area.circles))


def _facts(info: Info) -> tuple[Pair, ...]:
    """What a rule may match: the codes of the event, the parameters, and CAP's own words."""
    given = [Pair("urgency", info.urgency), Pair("certainty", info.certainty), Pair("language", info.language)]
    given += [Pair(f"event_code.{code.value_name}", code.value) for code in info.event_code]
    given += [Pair(f"parameter.{one.value_name}", one.value) for one in info.parameter]
    return tuple(pair for pair in given[:_FACTS] if pair.value and len(pair.value) <= LIMITS["value"])


def _earliest(references: Sequence[Reference]) -> Reference | None:
    def order(reference: Reference) -> tuple[bool, float]:
        try:
            return (False, moment(reference.sent).timestamp())
        except ValueError:
            return (True, 0.0)

    return min(references, key=order) if references else None


def _sent(text: str, arrived: datetime) -> datetime:
    try:
        return moment(text)
    except ValueError:
        return arrived
