"""The tables, the same on SQLite and PostgreSQL. `migrations/` builds them; a test holds the two together.

Ids that leave the house or fence something are never used twice (AUTOINCREMENT): a new endpoint must not
inherit the deliveries, nor the unsubscribe link, of one that was removed.
"""

from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from alertd.domain.delivery import State
from alertd.storage.types import BigInt, Instant, JsonText

metadata = MetaData()


def _only(condition: str) -> dict[str, Any]:
    """Make an index partial. A statement uses it only where it repeats the condition word for word."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


alert = Table(
    "alert",
    metadata,
    Column("seq", BigInt, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("identifier", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("sent", Text, nullable=False),
    Column("content", Text, nullable=False),  # the whole Alert (content.py)
    Column("status", Text, nullable=False),
    Column("msg_type", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("cohort", Text, nullable=False),
    Column("targets", Text, nullable=False),  # [[zone, bit, severity], …] (selection.py)
    Column("accepted_at", Instant, nullable=False),
    Column("released_at", Instant, nullable=False),  # accepted, or approved: where latencies are counted from
    Column("deadline", Instant, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("decided_by", Text),
    Column("reject_reason", Text),
    Column("settled_at", Instant),
    Column("ends", Text),  # what becomes of the nearest ancestor, kept while this one is a draft
    Column("followed_by", Text),
    Column("stopped", Boolean, nullable=False),
    Column("pseudonymised", Boolean, nullable=False),
    UniqueConstraint("identifier", "sender", "sent"),
)
Index("alert_by_state", alert.c.state, alert.c.seq)
Index("alert_public", alert.c.seq, **_only("status = 'Actual' AND scope = 'Public'"))
Index("alert_live", alert.c.deadline, **_only("state IN ('pending', 'active')"))
Index("alert_undecided", alert.c.state, alert.c.deadline, **_only("state = 'draft'"))
Index(  # holds all that is asked for: the rows themselves are long
    "alert_page",
    *(alert.c.id, alert.c.accepted_at, alert.c.cohort, alert.c.followed_by),
    **_only("cohort = 'officers' AND followed_by IS NULL"),
)
Index("alert_to_pseudonymise", alert.c.accepted_at, **_only("pseudonymised = 0"))

alert_ancestor = Table(
    "alert_ancestor",
    metadata,
    Column("alert_seq", BigInt, nullable=False),
    Column("depth", Integer, nullable=False),  # 1 is the nearest
    Column("ancestor_seq", BigInt, nullable=False),
    PrimaryKeyConstraint("alert_seq", "depth"),
    sqlite_with_rowid=False,
)

plan = Table(
    "plan",
    metadata,
    Column("alert_seq", BigInt, nullable=False),
    Column("channel", Text, nullable=False),
    Column("broadcast", Boolean, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("held", Boolean, nullable=False),  # the alert is a draft
    Column("depth", Integer, nullable=False),  # the ancestor being followed; 0 is the alert's own audience
    Column("cursor", BigInt, nullable=False),  # the last endpoint planned
    Column("upper", BigInt),  # the last endpoint there was when the own audience was begun
    Column("fresh", BigInt, nullable=False),  # first attempts are claimed in order of endpoints: up to here they were
    Column("zone_sets", BigInt, nullable=False),  # the newest zone set already looked at
    Column("in_flight", BigInt),  # deliveries of ancestors in flight when this pass over them began
    Column("done", Boolean, nullable=False),
    Column("cut", Boolean, nullable=False),  # ended by the deadline before its end
    PrimaryKeyConstraint("alert_seq", "channel"),
    sqlite_with_rowid=False,
)
Index(
    "plan_open",
    plan.c.priority,
    plan.c.broadcast.desc(),
    plan.c.alert_seq,
    plan.c.channel,
    **_only("done = 0 AND held = 0"),
)

tally = Table(
    "tally",
    metadata,
    Column("alert_seq", BigInt, nullable=False),
    Column("channel", Text, nullable=False),
    Column("adapter", Text, nullable=False),
    Column("broadcast", Boolean, nullable=False),
    Column("provable", Text, nullable=False),
    Column("idempotent", Boolean, nullable=False),  # the channel recognises a repeat
    Column("priority", Integer, nullable=False),
    *(Column(state.value, BigInt, nullable=False, server_default=text("0")) for state in State),
    Column("attempts", BigInt, nullable=False, server_default=text("0")),
    Column("first_attempt_at", Instant),
    Column("last_settled_at", Instant),
    Column("histogram", JsonText),  # {bucket: count} (tally.py)
    PrimaryKeyConstraint("alert_seq", "channel"),
    sqlite_with_rowid=False,
)
Index("tally_waiting", tally.c.channel, tally.c.priority, **_only("queued + retrying > 0"))

delivery = Table(
    "delivery",
    metadata,
    Column("id", BigInt, primary_key=True),
    Column("alert_seq", BigInt, nullable=False),
    Column("channel", Text, nullable=False),
    Column("endpoint_id", BigInt, nullable=False),  # 0 on a broadcast channel, negative once pseudonymised
    Column("language", Text, nullable=False),
    Column("blocks", BigInt, nullable=False),
    Column("state", Text, nullable=False),
    Column("due_at", Instant, nullable=False),  # 0 while fresh: never claimed, so it waits for no clock
    Column("attempts", Integer, nullable=False),
    Column("token", BigInt),  # the lease it is, or was last, under
    Column("exposed", Boolean, nullable=False),  # it arrived, or may have
    Column("reason", Text),
    Column("ref", Text),
    Column("thread", Text),
    Column("created_at", Instant, nullable=False),
    Column("started_at", Instant),
    Column("settled_at", Instant),
    UniqueConstraint("alert_seq", "channel", "endpoint_id"),
)
Index(  # of what was put back or is tried again; what is fresh is found by `plan.fresh`, and costs no index
    "delivery_waiting",
    delivery.c.alert_seq,
    delivery.c.channel,
    delivery.c.due_at,
    delivery.c.id,
    **_only("state IN ('queued', 'retrying') AND due_at > 0"),
)

lease = Table(
    "lease",
    metadata,
    Column("token", BigInt, primary_key=True),
    Column("alert_seq", BigInt, nullable=False),
    Column("channel", Text, nullable=False),
    Column("claimed_at", Instant, nullable=False),
    Column("until", Instant, nullable=False),
    Column("open", Integer, nullable=False),  # deliveries still out
    Column("first", BigInt, nullable=False),  # endpoints from here …
    Column("last", BigInt, nullable=False),  # … to here, those of other leases in between
    sqlite_autoincrement=True,
)

zone_set = Table(  # which zones a subscriber asked for: a town has few different sets
    "zone_set",
    metadata,
    Column("id", BigInt, primary_key=True),
    Column("zones", Text, nullable=False, unique=True),  # JSON array of codes, sorted
    sqlite_autoincrement=True,
)

selected = Table(  # the blocks an alert has for a zone set, while it is being planned (selection.py)
    "selected",
    metadata,
    Column("alert_seq", BigInt, nullable=False),
    Column("zone_set", BigInt, nullable=False),
    Column("min_rank", Integer, nullable=False),
    Column("blocks", BigInt, nullable=False),
    PrimaryKeyConstraint("alert_seq", "zone_set", "min_rank"),
    sqlite_with_rowid=False,
)

subscriber = Table(
    "subscriber",
    metadata,
    Column("seq", BigInt, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("language", Text, nullable=False),
    Column("zone_set", BigInt, nullable=False),
    Column("purposes", Integer, nullable=False),  # bit mask (types.py)
    Column("min_severity", Text, nullable=False),
    Column("min_rank", Integer, nullable=False),
    Column("cohort", Text, nullable=False),
    Column("consent_source", Text, nullable=False),
    Column("consent_given_at", Instant, nullable=False),
    Column("consent_confirmed_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    sqlite_autoincrement=True,
)

Index("subscriber_by_zone_set", subscriber.c.zone_set)

endpoint = Table(
    "endpoint",
    metadata,
    Column("id", BigInt, primary_key=True),
    Column("subscriber_seq", BigInt, nullable=False),
    Column("channel", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("address_key", Text, nullable=False),  # a hash of the address (addresses.py)
    Column("state", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("confirmed_at", Instant),
    UniqueConstraint("channel", "address_key"),
    sqlite_autoincrement=True,
)
Index("endpoint_by_subscriber", endpoint.c.subscriber_seq)
Index("endpoint_active", endpoint.c.channel, endpoint.c.id, **_only("state = 'active'"))
Index("endpoint_unconfirmed", endpoint.c.created_at, **_only("state = 'unconfirmed'"))

token = Table(
    "token",
    metadata,
    Column("seq", BigInt, primary_key=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False, unique=True),
    Column("scopes", JsonText, nullable=False),
    Column("modes", JsonText),
    Column("created_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    Column("details", JsonText, nullable=False),
)
Index("token_live_name", token.c.name, unique=True, **_only("revoked_at IS NULL"))

idempotency = Table(
    "idempotency",
    metadata,
    Column("owner", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    PrimaryKeyConstraint("owner", "key"),
    sqlite_with_rowid=False,
)
Index("idempotency_by_age", idempotency.c.created_at)

peer_message = Table(  # a CAP document another system posted, under its own name (peers.py)
    "peer_message",
    metadata,
    Column("seq", BigInt, primary_key=True),
    Column("sender", Text, nullable=False),
    Column("identifier", Text, nullable=False),
    Column("sent", Text, nullable=False),
    Column("msg_type", Text, nullable=False),
    Column("alert_seq", BigInt),  # what it became; of an Ack or an Error what it is about; NULL: it waits (early.py)
    Column("fingerprint", Text, nullable=False),
    Column("document", LargeBinary),  # as it came, until it is forgotten (purge.py)
    Column("answer", LargeBinary, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("status", Text),
    Column("owner", Text),  # the name of the token it was posted with
    Column("content", Text),  # the whole Alert as it was read, while it waits
    UniqueConstraint("sender", "identifier", "sent"),
)
Index("peer_message_waiting", peer_message.c.owner, peer_message.c.seq, **_only("alert_seq IS NULL"))
Index("peer_message_document", peer_message.c.received_at, **_only("document IS NOT NULL"))

peer_reference = Table(  # what an Update or a Cancel follows that had not come when it was posted (early.py)
    "peer_reference",
    metadata,
    Column("sender", Text, nullable=False),
    Column("identifier", Text, nullable=False),
    Column("moment", Text, nullable=False),  # its `sent`, in one spelling for all of a moment
    Column("by_seq", BigInt, nullable=False),
    Column("received_at", Instant, nullable=False),
    PrimaryKeyConstraint("sender", "identifier", "moment", "by_seq"),
    sqlite_with_rowid=False,
)

audit = Table(
    "audit",
    metadata,
    Column("seq", BigInt, primary_key=True),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", JsonText, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
)

kept = Table(  # what rules and sources remember between two restarts (kept.py)
    "kept",
    metadata,
    Column("name", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)
