"""Subscribers one by one: read, replaced, deleted; and the citizen's own confirm and unsubscribe."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Row, Select, delete, func, literal, select, update

from alertd.domain.alert import Severity
from alertd.domain.problems import Conflict, NotFound
from alertd.domain.subscriber import Cohort, Consent, Endpoint, EndpointState, Preference, Subscriber
from alertd.storage import audit, enrol
from alertd.storage.addresses import address_key
from alertd.storage.connect import run
from alertd.storage.roster import entry_of
from alertd.storage.tables import endpoint, subscriber, zone_set
from alertd.storage.types import Instant, json_text, purposes_of

CITIZEN: Final = "citizen"
"""The actor of what a subscriber does himself."""

OFFICERS: Final = """
SELECT j.value->>0 FROM json_each(:keys) j JOIN endpoint e ON e.channel = j.value->>1 AND e.address_key = j.value->>2
JOIN subscriber s ON s.seq = e.subscriber_seq WHERE s.cohort = 'officers'
"""


def everyone(*, after: int, limit: int) -> Select[Any]:
    return _subscribers().where(subscriber.c.seq > after).order_by(subscriber.c.seq).limit(limit)


def by_id(subscriber_id: str) -> Select[Any]:
    return _subscribers().where(subscriber.c.id == subscriber_id)


def endpoints_of(seqs: Sequence[int]) -> Select[Any]:
    return select(endpoint).where(endpoint.c.subscriber_seq.in_(seqs)).order_by(endpoint.c.id)


def by_address(channel: str, address: str) -> Select[Any]:
    return select(endpoint).where(endpoint.c.channel == channel, endpoint.c.address_key == address_key(address))


def get(conn: Connection, subscriber_id: str) -> Subscriber:
    """Raises NotFound."""
    return _load(conn, [_row(conn, subscriber_id)])[0]


def page(conn: Connection, *, limit: int, after: int) -> tuple[Sequence[Subscriber], int | None]:
    """In the order they came; the number to go on from, None at the end."""
    rows = conn.execute(everyone(after=after, limit=limit + 1)).fetchall()
    shown = rows[:limit]
    return _load(conn, shown), shown[-1].seq if len(rows) > limit else None


def replace(conn: Connection, wanted: Subscriber, *, actor: str, at: datetime) -> None:
    """Raises NotFound, Conflict (an endpoint is another subscriber's)."""
    seq = _row(conn, wanted.id).seq
    entry = entry_of(wanted)
    keep = []
    for one in wanted.endpoints:
        found = conn.execute(by_address(one.channel, one.address)).fetchone()
        if found is not None and found.subscriber_seq != seq:
            raise Conflict(f"an endpoint on the channel {one.channel} belongs to another subscriber")
        keep += [] if found is None else [found.id]
    conn.execute(delete(endpoint).where(endpoint.c.subscriber_seq == seq, endpoint.c.id.not_in(keep)))
    enrol.write(conn, [entry.row(wanted.id)], entry.endpoint_rows(wanted.id))
    for one in wanted.endpoints:
        where = (endpoint.c.channel == one.channel, endpoint.c.address_key == address_key(one.address))
        conn.execute(update(endpoint).where(*where).values(state=one.state))
    audit.append(conn, at, actor, "subscriber.replace", wanted.id, {"endpoints": len(entry.endpoints)})


def remove(conn: Connection, subscriber_id: str, *, actor: str, at: datetime) -> None:
    """Raises NotFound."""
    seq = _row(conn, subscriber_id).seq
    gone = conn.execute(delete(endpoint).where(endpoint.c.subscriber_seq == seq)).rowcount
    conn.execute(delete(subscriber).where(subscriber.c.seq == seq))
    audit.append(conn, at, actor, "subscriber.delete", subscriber_id, {"endpoints": gone})


def confirm_endpoint(conn: Connection, endpoint_id: int, *, at: datetime) -> bool:
    """True where the endpoint is active now (also if it was); False where there is none, or it has gone."""
    row = conn.execute(select(endpoint).where(endpoint.c.id == endpoint_id)).fetchone()
    if row is None or row.state == EndpointState.GONE:
        return False
    if row.state == EndpointState.UNCONFIRMED:
        state = {"state": EndpointState.ACTIVE, "confirmed_at": at}
        conn.execute(update(endpoint).where(endpoint.c.id == endpoint_id).values(**state))
        first = func.coalesce(subscriber.c.consent_confirmed_at, literal(at, Instant))
        whose = subscriber.c.seq == row.subscriber_seq
        conn.execute(update(subscriber).where(whose).values(consent_confirmed_at=first))
        audit.append(conn, at, CITIZEN, "endpoint.confirm", str(endpoint_id), {"channel": row.channel})
    return True


def unsubscribe_endpoint(conn: Connection, endpoint_id: int, *, at: datetime) -> bool:
    row = conn.execute(select(endpoint).where(endpoint.c.id == endpoint_id)).fetchone()
    if row is None:
        return False
    conn.execute(delete(endpoint).where(endpoint.c.id == endpoint_id))
    others = select(endpoint.c.id).where(endpoint.c.subscriber_seq == row.subscriber_seq).exists()
    conn.execute(delete(subscriber).where(subscriber.c.seq == row.subscriber_seq, ~others))
    audit.append(conn, at, CITIZEN, "endpoint.unsubscribe", str(endpoint_id), {"channel": row.channel})
    return True


def endpoint_id(conn: Connection, channel: str, address: str) -> int | None:
    row = conn.execute(by_address(channel, address)).fetchone()
    return None if row is None else int(row.id)


def officers_among(conn: Connection, addresses: Sequence[tuple[str, str]]) -> frozenset[tuple[str, str]]:
    keys = json_text([[i, channel, address_key(address)] for i, (channel, address) in enumerate(addresses)])
    return frozenset(addresses[i] for (i,) in run(conn, OFFICERS, {"keys": keys}).fetchall())


def _subscribers() -> Select[Any]:
    return select(subscriber, zone_set.c.zones).join(zone_set, zone_set.c.id == subscriber.c.zone_set)


def _row(conn: Connection, subscriber_id: str) -> Row[Any]:
    row = conn.execute(by_id(subscriber_id)).fetchone()
    if row is None:
        raise NotFound(f"there is no subscriber {subscriber_id}")
    return row


def _load(conn: Connection, rows: Sequence[Row[Any]]) -> list[Subscriber]:
    endpoints: defaultdict[int, list[Endpoint]] = defaultdict(list)
    for row in conn.execute(endpoints_of([row.seq for row in rows])):
        endpoints[row.subscriber_seq].append(Endpoint(row.channel, row.address, row.id, EndpointState(row.state)))
    return [_subscriber(row, endpoints[row.seq]) for row in rows]


def _subscriber(row: Row[Any], endpoints: Sequence[Endpoint]) -> Subscriber:
    preference = Preference(
        row.language, tuple(orjson.loads(row.zones)), purposes_of(row.purposes), Severity(row.min_severity)
    )
    return Subscriber(
        id=row.id,
        preference=preference,
        cohort=Cohort(row.cohort),
        endpoints=tuple(endpoints),
        consent=Consent(row.consent_source, row.consent_given_at, row.consent_confirmed_at),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
