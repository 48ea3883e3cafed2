"""Runs inside Alembic: the connection, and the transaction it is in, are `alertd.storage.migrate`'s."""

from alembic import context

from alertd.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,
    render_as_batch=True,
)
context.run_migrations()
