"""Pages to the officers: the drafts that wait for a decision, and the last page about each, are found at once."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index("alert_undecided", "alert", ["state", "deadline"], **_only("state = 'draft'"))
    latest = _only("cohort = 'officers' AND followed_by IS NULL")
    op.create_index("alert_page", "alert", ["id", "accepted_at", "cohort", "followed_by"], **latest)


def _only(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}
