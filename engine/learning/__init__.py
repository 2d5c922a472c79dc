"""Learning: pairs out of decisions, what a release is worth, and whether it may be promoted."""
