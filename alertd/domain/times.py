"""Times as CAP 1.2 writes them (section 3.3.2): no fraction, never Z, and UTC as `-00:00`; and as numbers."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Microseconds since 1970 in UTC, exact (a float of seconds would not be)."""
    return (at - _EPOCH) // _MICROSECOND


def cap_time(moment: datetime) -> str:
    """`moment` (aware) in CAP's format, in its own offset."""
    offset = moment.utcoffset()
    if offset is None:
        raise ValueError("a CAP time needs an offset")
    text = moment.replace(microsecond=0, tzinfo=None).isoformat()
    if not offset and moment.tzinfo is UTC:
        return f"{text}-00:00"
    sign = "-" if offset < timedelta(0) else "+"
    minutes = abs(offset) // timedelta(minutes=1)
    return f"{text}{sign}{minutes // 60:02d}:{minutes % 60:02d}"
