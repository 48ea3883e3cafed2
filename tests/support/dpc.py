"""Bulletins of the Department of Civil Protection made for tests: DBF files as it writes them, in a zip."""

import struct
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO
from pathlib import Path

import shapefile

COLUMNS = (
    ("Zona_all", 80),
    ("Nome_zona", 149),
    ("Criticita", 80),
    ("Idrogeo", 80),
    ("Temporali", 80),
    ("Idraulico", 80),
)
GREEN = "Assenza di fenomeni significativi prevedibili / NESSUNA ALLERTA"
YELLOW = "Ordinaria per rischio idraulico / ALLERTA GIALLA"
ORANGE = "Moderata / ALLERTA ARANCIONE"
RED = "Elevata per rischio idrogeologico / ALLERTA ROSSA"

Row = Sequence[str]


def row(code: str, colour: str = GREEN, *, hydraulic: str | None = None, name: str = "Località") -> Row:
    """A zone whose risks are all of one colour, but for `hydraulic`."""
    return (code, name, colour, colour, colour, hydraulic or colour)


def table(rows: Sequence[Row], columns: Sequence[tuple[str, int]] = COLUMNS) -> bytes:
    """A dBase III file (header, field descriptors, records of fixed width) in latin-1."""
    width = 1 + sum(size for _, size in columns)
    header = struct.pack("<BBBBLHH20x", 3, 126, 1, 18, len(rows), 33 + 32 * len(columns), width)
    fields = b"".join(struct.pack("<11sc4xB15x", name.encode(), b"C", size) for name, size in columns)
    records = b"".join(
        b" " + b"".join(text.encode("latin-1").ljust(size) for text, (_, size) in zip(one, columns, strict=True))
        for one in rows
    )
    return header + fields + b"\r" + records + b"\x1a"


def packed(members: Mapping[str, bytes]) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def bulletin_zip(stamp: str, today: Sequence[Row], tomorrow: Sequence[Row]) -> bytes:
    """`stamp` as in the file names: 20260118_1515."""
    return packed(
        {
            f"{stamp}_today.dbf": table(today),
            f"{stamp}_tomorrow.dbf": table(tomorrow),
            f"{stamp}_today.shp": b"not read",
            f"{stamp}.json": b"{}",
        }
    )


SAMPLES = Path(__file__).parents[3] / "shared" / "samples" / "dpc"
DAYS = ("today", "tomorrow")


def sample_bulletin() -> bytes:
    """The Department's real files of 18 January 2026, in a zip as it publishes them."""
    return packed({_sample_file(day).name: _sample_file(day).read_bytes() for day in DAYS})


def sample_rows(day: str) -> list[Row]:
    """The rows of the Department's real table, `today` or `tomorrow`."""
    with shapefile.Reader(dbf=BytesIO(_sample_file(day).read_bytes()), encoding="latin-1") as table_of_day:
        return [tuple(str(found[name]) for name, _ in COLUMNS) for found in table_of_day.iterRecords()]


def overall(rows: Iterable[Row]) -> dict[str, str]:
    """The colour of each zone as a whole, by the last word alone: apart from the code that is tested."""
    words = {found[0]: found[2].split("/")[-1].split()[-1].lower() for found in rows}
    return {zone: "verde" if word == "allerta" else word for zone, word in words.items()}


def _sample_file(day: str) -> Path:
    return SAMPLES / f"20260118_1515_{day}.dbf"
