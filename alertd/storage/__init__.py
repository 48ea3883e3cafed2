"""Floor 3: the store. SQLAlchemy Core and Alembic; the only package that speaks SQL."""

from alertd.storage.problems import StoreBusy, StoreMisconfigured, StoreTooNew
from alertd.storage.store import Store

__all__ = ["Store", "StoreBusy", "StoreMisconfigured", "StoreTooNew"]
