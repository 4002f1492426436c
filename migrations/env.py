"""What Alembic runs for every command: the migrations on the connection that `migrations` handed over."""

from __future__ import annotations

from alembic import context

from data.tables import Base

# The caller's transaction is open and stays the caller's: all steps happen, or none.
context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
