"""The manifest of the base model: what it is, under which licence, and what its weights must hash to."""
