"""The first schema.

What the tables mean is said in `alertd.storage.tables`; this file only freezes how they were first built.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    _alerts()
    _tallies()
    _work()
    _people()
    _house()


def _only(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def _number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, _BIG, nullable=null)


def _small(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def _instant(name: str, *, null: bool = False) -> sa.Column[int]:
    """Microseconds since 1970."""
    return sa.Column(name, _BIG, nullable=null)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, _BIG, server_default=sa.text("0"), nullable=False)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=False)


def _alerts() -> None:
    op.create_table(
        "alert",
        _number("seq"),
        _text("id"),
        _text("identifier"),
        _text("sender"),
        _text("sent"),
        _text("content"),
        _text("status"),
        _text("msg_type"),
        _text("scope"),
        _text("purpose"),
        _text("state"),
        _small("priority"),
        _text("cohort"),
        _text("targets"),
        _instant("accepted_at"),
        _instant("released_at"),
        _instant("deadline"),
        _text("created_by"),
        _text("decided_by", null=True),
        _text("reject_reason", null=True),
        _instant("settled_at", null=True),
        _text("ends", null=True),
        _text("followed_by", null=True),
        _flag("stopped"),
        _flag("pseudonymised"),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("identifier", "sender", "sent"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("alert_by_state", "alert", ["state", "seq"])
    op.create_index("alert_live", "alert", ["deadline"], **_only("state IN ('pending', 'active')"))
    op.create_index("alert_public", "alert", ["seq"], **_only("status = 'Actual' AND scope = 'Public'"))
    op.create_index("alert_to_pseudonymise", "alert", ["accepted_at"], **_only("pseudonymised = 0"))
    op.create_table(
        "alert_ancestor",
        _number("alert_seq"),
        _small("depth"),
        _number("ancestor_seq"),
        sa.PrimaryKeyConstraint("alert_seq", "depth"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "plan",
        _number("alert_seq"),
        _text("channel"),
        _flag("broadcast"),
        _small("priority"),
        _flag("held"),
        _small("depth"),
        _number("cursor"),
        _number("upper", null=True),
        _number("fresh"),
        _number("zone_sets"),
        _number("in_flight", null=True),
        _flag("done"),
        _flag("cut"),
        sa.PrimaryKeyConstraint("alert_seq", "channel"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "plan_open",
        "plan",
        ["priority", sa.literal_column("broadcast DESC"), "alert_seq", "channel"],
        **_only("done = 0 AND held = 0"),
    )
    op.create_table(
        "selected",
        _number("alert_seq"),
        _number("zone_set"),
        _small("min_rank"),
        _number("blocks"),
        sa.PrimaryKeyConstraint("alert_seq", "zone_set", "min_rank"),
        sqlite_with_rowid=False,
    )


def _tallies() -> None:
    op.create_table(
        "tally",
        _number("alert_seq"),
        _text("channel"),
        _text("adapter"),
        _flag("broadcast"),
        _text("provable"),
        _flag("idempotent"),
        _small("priority"),
        _count("queued"),
        _count("sending"),
        _count("retrying"),
        _count("accepted"),
        _count("delivered"),
        _count("seen"),
        _count("acknowledged"),
        _count("failed"),
        _count("gone"),
        _count("expired"),
        _count("superseded"),
        _count("attempts"),
        _instant("first_attempt_at", null=True),
        _instant("last_settled_at", null=True),
        _text("histogram", null=True),
        sa.PrimaryKeyConstraint("alert_seq", "channel"),
        sqlite_with_rowid=False,
    )
    op.create_index("tally_waiting", "tally", ["channel", "priority"], **_only("queued + retrying > 0"))


def _work() -> None:
    op.create_table(
        "delivery",
        _number("id"),
        _number("alert_seq"),
        _text("channel"),
        _number("endpoint_id"),
        _text("language"),
        _number("blocks"),
        _text("state"),
        _instant("due_at"),
        _small("attempts"),
        _number("token", null=True),
        _flag("exposed"),
        _text("reason", null=True),
        _text("ref", null=True),
        _text("thread", null=True),
        _instant("created_at"),
        _instant("started_at", null=True),
        _instant("settled_at", null=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("alert_seq", "channel", "endpoint_id"),
    )
    op.create_index(
        "delivery_waiting",
        "delivery",
        ["alert_seq", "channel", "due_at", "id"],
        **_only("state IN ('queued', 'retrying') AND due_at > 0"),
    )
    op.create_table(
        "lease",
        _number("token"),
        _number("alert_seq"),
        _text("channel"),
        _instant("claimed_at"),
        _instant("until"),
        _small("open"),
        _number("first"),
        _number("last"),
        sa.PrimaryKeyConstraint("token"),
        sqlite_autoincrement=True,
    )


def _people() -> None:
    op.create_table(
        "zone_set",
        _number("id"),
        _text("zones"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("zones"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "subscriber",
        _number("seq"),
        _text("id"),
        _text("language"),
        _number("zone_set"),
        _small("purposes"),
        _text("min_severity"),
        _small("min_rank"),
        _text("cohort"),
        _text("consent_source"),
        _instant("consent_given_at"),
        _instant("consent_confirmed_at", null=True),
        _instant("created_at"),
        _instant("updated_at"),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("id"),
        sqlite_autoincrement=True,
    )
    op.create_index("subscriber_by_zone_set", "subscriber", ["zone_set"])
    op.create_table(
        "endpoint",
        _number("id"),
        _number("subscriber_seq"),
        _text("channel"),
        _text("address"),
        _text("address_key"),
        _text("state"),
        _instant("created_at"),
        _instant("confirmed_at", null=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("channel", "address_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("endpoint_active", "endpoint", ["channel", "id"], **_only("state = 'active'"))
    op.create_index("endpoint_by_subscriber", "endpoint", ["subscriber_seq"])
    op.create_index("endpoint_unconfirmed", "endpoint", ["created_at"], **_only("state = 'unconfirmed'"))


def _house() -> None:
    op.create_table(
        "token",
        _number("seq"),
        _text("name"),
        _text("digest"),
        _text("scopes"),
        _text("modes", null=True),
        _instant("created_at"),
        _instant("revoked_at", null=True),
        _text("details"),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index("token_live_name", "token", ["name"], unique=True, **_only("revoked_at IS NULL"))
    op.create_table(
        "idempotency",
        _text("owner"),
        _text("key"),
        _text("fingerprint"),
        _bytes("body"),
        _instant("created_at"),
        sa.PrimaryKeyConstraint("owner", "key"),
        sqlite_with_rowid=False,
    )
    op.create_index("idempotency_by_age", "idempotency", ["created_at"])
    op.create_table(
        "audit",
        _number("seq"),
        _text("at"),
        _text("actor"),
        _text("action"),
        _text("subject"),
        _text("details"),
        _text("previous"),
        _text("hash"),
        sa.PrimaryKeyConstraint("seq"),
    )
