"""Bulletins of the Department of Civil Protection made for tests: DBF files as it writes them, in a zip."""

import struct
import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO

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
