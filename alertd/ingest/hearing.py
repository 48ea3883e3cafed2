"""A payload of a configured source as signals: its reader, with what the house knows of places."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from alertd.cap.proving import Proven, read_proven, unsigned
from alertd.domain.alert import Area
from alertd.domain.geo import Point, Polygon
from alertd.domain.signal import Heard, Violation
from alertd.ingest.readers import cap
from alertd.ingest.readers.received import Fault, Received, bounded, refused
from alertd.ingest.readers.registry import reader
from alertd.ingest.source import CAP_FEED, SIGNABLE, SourceSpec
from alertd.ports.territory import Territory

_AT_ONCE: Final = 64 * 1024
"""Bytes that are read on the loop; more would hold it up."""
_SIGNATURE: Final = b"xmldsig#"
"""Takes long to verify. What spells it otherwise is verified all the same, on the loop."""


class Hearing:
    """One source's ear. `territory` is asked each time: SIGHUP changes it."""

    def __init__(self, spec: SourceSpec, territory: Callable[[], Territory]) -> None:
        self.spec = spec
        self._territory = territory
        self._read = _reads(spec)

    def brief(self, payload: bytes) -> bool:
        """Whether reading it holds up nobody."""
        return len(payload) <= _AT_ONCE and not (self.spec.reader in SIGNABLE and _SIGNATURE in payload)

    async def hear(self, payload: bytes, at: datetime, topic: str = "") -> Heard:
        """What the payload says; a large or a signed one is read in a thread. Never raises for what the bytes hold."""
        if self.brief(payload):
            return self.heard(payload, at, topic)
        return await asyncio.to_thread(self.heard, payload, at, topic)

    def heard(self, payload: bytes, at: datetime, topic: str = "") -> Heard:
        """The same, here and now."""
        territory = self._territory()
        received = Received(self.spec.name, at, topic, _places(territory) if self.spec.reader == "ingv" else {})
        return self._read(payload, received, territory)


_Reads = Callable[[bytes, Received, Territory], Heard]


def _reads(spec: SourceSpec) -> _Reads:
    if spec.reader in (CAP_FEED, "cap"):
        return _cap(spec)
    found = reader(spec.reader)
    if spec.reader == "dpc":
        return _dpc(spec)
    return lambda payload, received, _: found.read(payload, spec.options, received)


def _cap(spec: SourceSpec) -> _Reads:
    options = spec.options
    config = cap.Config.model_validate(options.model_dump(include=set(cap.Config.model_fields)))

    def read(payload: bytes, received: Received, territory: Territory) -> Heard:
        places = locate(territory)
        return cap.signals_in(payload, config, received, language=spec.language, locate=places, trust=spec.trust)

    return read


def _dpc(spec: SourceSpec) -> _Reads:
    """The Department publishes a bulletin twice: as a zip and as CAP."""
    from alertd.ingest.readers import dpc

    config = dpc.Config.model_validate(spec.options.model_dump())

    def read(payload: bytes, received: Received, _: Territory) -> Heard:
        if payload.lstrip()[:1] != b"<":
            return _marked(dpc.read(payload, config, received), unsigned(spec.trust))
        try:
            language = spec.language or "it-IT"
            proven = read_proven(bounded(payload, 16 << 20), spec.trust, received.at, language=language)
        except Fault as fault:
            return refused(fault)
        reading = proven.reading
        violations = reading.every_violation()
        if not reading.alerts:
            return Heard((), violations)
        heard = [dpc.of_alert(alert, config, received, violations) for alert in reading.alerts]
        doubtful = any(violation.fatal for violation in violations)
        signals = tuple(signal._replace(doubtful=doubtful) for one in heard for signal in one.signals)
        said = Heard(signals, (*violations, *(violation for one in heard for violation in one.violations)))
        return _marked(said, proven)

    return read


def _marked(heard: Heard, proven: Proven) -> Heard:
    doubt = (Violation("signature", proven.doubt),) if proven.doubt and heard.signals else ()
    return Heard(tuple(cap.marked(signal, proven) for signal in heard.signals), (*heard.violations, *doubt))


def locate(territory: Territory) -> cap.Locate:
    """The configured zones an area's own shapes touch; what it names is the source's own and is not looked up."""

    def touched(area: Area) -> tuple[str, ...]:
        try:
            return territory.settle(area).zones
        except ValueError:  # it lies outside, or is no shape
            return ()

    def inside(area: Area) -> tuple[str, ...]:
        shapes = [
            *(Area("", polygons=(one,)) for one in area.polygons),
            *(Area("", circles=(one,)) for one in area.circles),
        ]
        return tuple(dict.fromkeys(zone for shape in shapes for zone in touched(shape)))

    return inside


def _places(territory: Territory) -> Mapping[str, Point]:
    """The middle of each zone: of the box around its largest ring."""
    return {zone.code: _middle(max(zone.polygons, key=_extent)) for zone in territory.zones if zone.polygons}


def _box(polygon: Polygon) -> tuple[float, float, float, float]:
    lats, lons = [point.lat for point in polygon.points], [point.lon for point in polygon.points]
    return min(lats), max(lats), min(lons), max(lons)


def _extent(polygon: Polygon) -> float:
    south, north, west, east = _box(polygon)
    return (north - south) * (east - west)


def _middle(polygon: Polygon) -> Point:
    south, north, west, east = _box(polygon)
    return Point((south + north) / 2, (west + east) / 2)
