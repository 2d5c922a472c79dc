"""Alembic's entry point: runs the migrations on the connection that the store hands over."""

from __future__ import annotations

from alembic import context

from engine.store.schema import Base

connection = context.config.attributes["connection"]
# The store begins and commits: a migration that fails halfway leaves nothing behind.
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
context.run_migrations()
