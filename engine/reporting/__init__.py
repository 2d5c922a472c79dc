"""Reporting: what the owner reads, computed from counts and judged listings."""
