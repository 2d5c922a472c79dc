"""Files shipped with Alcove, read through ``importlib.resources``."""
