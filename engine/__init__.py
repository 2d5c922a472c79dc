"""Alcove's headless engine: everything that is not a window and not a training run."""
