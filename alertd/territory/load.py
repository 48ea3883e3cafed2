"""Zones from GeoJSON files (RFC 7946): Polygon and MultiPolygon features with `code` and `name`."""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import shapely
from shapely.errors import ShapelyError
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry

from alertd.domain.texts import text_fault
from alertd.ports.territory import Zone
from alertd.territory.mapped import MappedTerritory
from alertd.territory.shapes import rings

MAX_FILE_BYTES = 100_000_000
_MAX_NAME = 200


class ZoneFileError(ValueError):
    """A file of zones cannot be used; the text names file, feature and fault."""


def load_territory(files: Iterable[Path], *, name: str = "") -> MappedTerritory:
    """The territory of all these files. `name` describes the whole, e.g. the municipality's name.

    Raises ZoneFileError.
    """
    zones: list[tuple[Zone, BaseGeometry]] = []
    origin: dict[str, str] = {}
    for file in files:
        for where, zone, boundary in _read(file):
            earlier = origin.setdefault(zone.code.casefold(), where)
            if earlier != where:
                raise ZoneFileError(f"{where}: the code {zone.code!r} was already used in {earlier}")
            zones.append((zone, boundary))
    return MappedTerritory(zones, name=name)


def _read(file: Path) -> Iterator[tuple[str, Zone, BaseGeometry]]:
    for i, feature in enumerate(_features(file)):
        where = f"{file}: feature {i}"
        if not isinstance(feature, Mapping):
            raise ZoneFileError(f"{where}: is not an object")
        properties = feature.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        code = _word(properties, where, "code", "com_istat_code")
        name = _word(properties, where, "name")
        scheme = _word({"scheme": "ISTAT", **properties}, where, "scheme")
        where = f"{where} ({name})"
        boundary = _boundary(feature.get("geometry"), where)
        yield where, Zone(code, name, rings(boundary), scheme), boundary


def _features(file: Path) -> list[Any]:
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise ZoneFileError(f"{file}: over {MAX_FILE_BYTES} bytes; simplify the boundaries")
        document = json.loads(file.read_bytes())
    except OSError as error:
        raise ZoneFileError(f"{file}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise ZoneFileError(f"{file}: is not JSON: {error}") from None
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or document.get("type") != "FeatureCollection":
        raise ZoneFileError(f"{file}: is not a GeoJSON FeatureCollection")
    return features


def _word(properties: Mapping[str, Any], where: str, *keys: str) -> str:
    for key in keys:
        word = properties.get(key)
        if isinstance(word, str) and word.strip() not in {"", "*"}:
            if fault := text_fault(word, _MAX_NAME):
                raise ZoneFileError(f"{where}: property {key!r} {fault}")
            return " ".join(word.split())
    raise ZoneFileError(f"{where}: needs the property {' or '.join(map(repr, keys))} as a text (and not '*')")


def _boundary(geometry: Any, where: str) -> BaseGeometry:
    kind = geometry.get("type") if isinstance(geometry, Mapping) else None
    if kind not in {"Polygon", "MultiPolygon"}:
        raise ZoneFileError(f"{where}: needs a Polygon or MultiPolygon, has {kind}")
    try:
        boundary = shapely.force_2d(shape(geometry))
    except (ShapelyError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise ZoneFileError(f"{where}: its coordinates cannot be read: {error}") from None
    reason = shapely.is_valid_reason(boundary)
    if boundary.is_empty:
        raise ZoneFileError(f"{where}: its boundary is empty")
    if reason != "Valid Geometry":
        raise ZoneFileError(f"{where}: its boundary is not valid: {reason}")
    west, south, east, north = boundary.bounds
    if west < -180 or east > 180 or south < -90 or north > 90:  # noqa: PLR2004  WGS 84
        raise ZoneFileError(f"{where}: leaves WGS 84 (longitude, latitude); is it in another projection?")
    return boundary
