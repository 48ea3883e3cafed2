"""Alembic's revisions of the store, run by `alertd.storage.migrate`."""
