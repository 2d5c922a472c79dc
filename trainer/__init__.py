"""Alcove's trainer: a job folder in, typed events and an encoder out (``python -m trainer JOB_DIR``)."""
