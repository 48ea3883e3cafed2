"""Leases: which deliveries a claim has out. The token is the lease's number, never used twice, so it fences."""

from typing import Final

from sqlalchemy import Connection

from alertd.storage.connect import run

LANE: Final = "SELECT alert_seq, channel FROM lease WHERE token = :token"
_GIVE_BACK: Final = "UPDATE lease SET open = open - :count WHERE token = :token"
_END: Final = "DELETE FROM lease WHERE token = :token AND open <= 0"


def lane_of(conn: Connection, token: int) -> tuple[int, str] | None:
    """The alert's number and the channel; None where the lease has ended."""
    row = run(conn, LANE, {"token": token}).fetchone()
    return None if row is None else (row[0], row[1])


def give_back(conn: Connection, token: int, count: int) -> None:
    """So many of its deliveries are no longer out; the last one ends the lease."""
    if count:
        run(conn, _GIVE_BACK, {"token": token, "count": count})
        run(conn, _END, {"token": token})
