"""The zip the Department publishes (`files/all/latest_all.zip`): which files of it are the bulletin, read with care.

Nothing is unpacked to disk and no path in it is followed: a member is known by the end of its name alone.
"""

import re
import zipfile
import zlib
from datetime import datetime
from io import BytesIO
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from alertd.ingest.readers.received import Fault, Notes, bounded

MAX_ARCHIVE: Final = 32 * 1024 * 1024
MAX_TABLE: Final = 4 * 1024 * 1024
MAX_MEMBERS: Final = 500
_ENTRY: Final = b"PK\x01\x02"
_NAME: Final = re.compile(r"(?:^|[/\\])([0-9]{8}_[0-9]{4})_(today|tomorrow)\.dbf$", re.IGNORECASE)
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_BROKEN: Final = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError, RuntimeError),
    *(LookupError, OverflowError, TypeError),
)
"""What zipfile raises for archives that are damaged or made to harm."""


class Tables(NamedTuple):
    """The DBF files of the latest issue in the archive; None for one that is not there or cannot be read."""

    issued: datetime
    today: bytes | None
    tomorrow: bytes | None


def tables(payload: bytes, tz: ZoneInfo, notes: Notes) -> Tables:
    """The two days' tables of the latest issue. Raises Fault where the archive holds no bulletin at all."""
    if bounded(payload, MAX_ARCHIVE, "zip").count(_ENTRY) > MAX_MEMBERS:  # before the directory is built in memory
        raise Fault("zip", f"more than {MAX_MEMBERS} files: this is no bulletin")
    try:
        with zipfile.ZipFile(BytesIO(payload)) as archive:
            issues = _issues(archive, notes)
            stamp = max(issues)
            issued = _issued(stamp, tz)
            days = {day: _read(archive, member, notes) for day, member in issues[stamp].items()}
    except Fault:
        raise
    except _BROKEN as error:
        raise Fault("zip", f"cannot be opened: {str(error)[:100] or type(error).__name__}") from None
    for day in ("today", "tomorrow"):
        if day not in days:
            notes.lost("zip", f"the issue of {stamp} has no file for {day}")
    return Tables(issued, days.get("today"), days.get("tomorrow"))


def _issues(archive: zipfile.ZipFile, notes: Notes) -> dict[str, dict[str, zipfile.ZipInfo]]:
    issues: dict[str, dict[str, zipfile.ZipInfo]] = {}
    for member in archive.infolist():
        if match := _NAME.search(member.filename):
            days = issues.setdefault(match[1], {})
            if days.setdefault(match[2].lower(), member) is not member:
                notes.odd(match[0], "is there twice: the first is read")
    if not issues:
        raise Fault("zip", "holds no file named like 20260118_1515_today.dbf")
    return issues


def _issued(stamp: str, tz: ZoneInfo) -> datetime:
    try:
        return datetime.strptime(stamp, "%Y%m%d_%H%M").replace(tzinfo=tz)
    except ValueError:
        raise Fault("zip", f"{stamp} is no time of issue") from None


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, notes: Notes) -> bytes | None:
    """A member, never more of it than a table may have, whatever the archive says of its size."""
    where = member.filename[-60:]
    if member.flag_bits & 0x1:
        notes.lost(where, "is encrypted")
        return None
    if member.compress_type not in _METHODS:
        notes.lost(where, "is packed by a method that is not read")
        return None
    try:
        with archive.open(member) as file:
            table = file.read(MAX_TABLE + 1)
            if len(table) <= MAX_TABLE:
                return table
            notes.lost(where, f"is larger than {MAX_TABLE} bytes")
    except _BROKEN as error:
        notes.lost(where, f"cannot be unpacked: {str(error)[:100] or type(error).__name__}")
    return None
