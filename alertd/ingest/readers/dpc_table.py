"""One day's table of the bulletin: a DBF (dBase III) with the columns Zona_all, Nome_zona, Criticita, Idrogeo,
Temporali, Idraulico in latin-1, whose values end in the colour (`Ordinaria per rischio idraulico / ALLERTA GIALLA`)."""

import re
from collections.abc import Mapping, Sequence
from io import BytesIO
from struct import error as StructError  # noqa: N812 - it is a class
from typing import Any, Final

import shapefile

from alertd.domain.signal import Colour
from alertd.ingest.readers.dpc_bulletin import Risk, ZoneColours
from alertd.ingest.readers.received import Fault, Notes
from alertd.ingest.readers.values import shown, word

MAX_ZONES: Final = 2_000
ZONE, NAME = "Zona_all", "Nome_zona"
COLUMNS: Final[Mapping[str, Risk]] = {
    "Criticita": Risk.OVERALL,
    "Idrogeo": Risk.HYDROGEOLOGICAL,
    "Temporali": Risk.THUNDERSTORMS,
    "Idraulico": Risk.HYDRAULIC,
}
_COLOUR: Final = re.compile(r"\b(NESSUNA ALLERTA|ALLERTA (?:GIALLA|ARANCIONE|ROSSA))[\s:.]*$", re.IGNORECASE)
_COLOURS: Final[Mapping[str, Colour]] = {
    "NESSUNA ALLERTA": Colour.GREEN,
    "ALLERTA GIALLA": Colour.YELLOW,
    "ALLERTA ARANCIONE": Colour.ORANGE,
    "ALLERTA ROSSA": Colour.RED,
}
_BROKEN: Final = (
    *(shapefile.ShapefileException, StructError, ValueError, LookupError, OSError, OverflowError, TypeError),
    AttributeError,
)
"""What pyshp raises for files that are no DBF."""


def zones(table: bytes, where: str, notes: Notes) -> Mapping[str, ZoneColours]:
    """The colours of every zone, by its code. Raises Fault where the table has not those columns."""
    found: dict[str, ZoneColours] = {}
    for i, row in enumerate(_rows(table, where), 1):
        here = f"{where} row {i}"
        try:
            code = word(row.get(ZONE), 100)
        except ValueError as error:
            notes.lost(f"{here} {ZONE}", str(error))
            continue
        if code in found:
            notes.lost(here, f"zone {code} is there twice: the first is read")
            continue
        found[code] = ZoneColours(_name(row), _colours(row, f"{here} {code}", notes))
    return found


def colour_of(text: str) -> Colour:
    """The colour a text ends in. Raises ValueError."""
    match = _COLOUR.search(" ".join(text.split()))
    if match is None:
        raise ValueError(f"{shown(text)} does not end in a colour")
    return _COLOURS[match[1].upper()]


def _rows(table: bytes, where: str) -> list[dict[str, Any]]:
    try:
        with shapefile.Reader(dbf=BytesIO(table), encoding="latin-1") as reader:
            _expected([field[0] for field in reader.fields[1:]], len(reader), where)
            return [record.as_dict() for record in reader.iterRecords()]
    except Fault:
        raise
    except _BROKEN as error:
        raise Fault(where, f"is no DBF that can be read: {str(error)[:100] or type(error).__name__}") from None


def _expected(columns: Sequence[str], rows: int, where: str) -> None:
    if missing := [name for name in (ZONE, *COLUMNS) if name not in columns]:
        raise Fault(where, f"has no column {', '.join(missing)}")
    if rows > MAX_ZONES:
        raise Fault(where, f"{rows} zones; at most {MAX_ZONES} are read")


def _name(row: Mapping[str, Any]) -> str:
    try:
        return word(row.get(NAME))
    except ValueError:
        return ""


def _colours(row: Mapping[str, Any], where: str, notes: Notes) -> Mapping[Risk, Colour]:
    colours: dict[Risk, Colour] = {}
    for column, risk in COLUMNS.items():
        try:
            colours[risk] = colour_of(str(row[column]))
        except ValueError as error:
            notes.lost(f"{where} {column}", str(error))
    return colours
