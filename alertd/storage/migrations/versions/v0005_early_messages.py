"""Messages that came before what they follow, and an end for the documents of other systems.

What the tables mean is said in `alertd.storage.tables`.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("peer_message") as table:
        table.alter_column("alert_seq", existing_type=_BIG, nullable=True)
        table.alter_column("document", existing_type=sa.LargeBinary(), nullable=True)
        table.add_column(sa.Column("status", sa.Text(), nullable=True))
        table.add_column(sa.Column("owner", sa.Text(), nullable=True))
        table.add_column(sa.Column("content", sa.Text(), nullable=True))
    op.create_index("peer_message_waiting", "peer_message", ["owner", "seq"], **_only("alert_seq IS NULL"))
    op.create_index("peer_message_document", "peer_message", ["received_at"], **_only("document IS NOT NULL"))
    op.create_table(
        "peer_reference",
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("identifier", sa.Text(), nullable=False),
        sa.Column("moment", sa.Text(), nullable=False),
        sa.Column("by_seq", _BIG, nullable=False),
        sa.Column("received_at", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("sender", "identifier", "moment", "by_seq"),
        sqlite_with_rowid=False,
    )


def _only(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
