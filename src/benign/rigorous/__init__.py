"""Proof arithmetic: exact numbers, outward-rounded intervals, balls. Never imports JAX."""
