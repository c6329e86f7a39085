"""Probes: a sensor each, read now."""
