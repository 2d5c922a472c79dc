"""Widgets that draw what they are given and hold no rules."""
