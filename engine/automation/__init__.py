"""Automation: evidence, matcher, certificate and the route of every listing."""
