"""Alembic migrations of ``workspace.db``, run from code by :mod:`engine.store.migrate`."""
