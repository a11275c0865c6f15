"""Proofs for a few parameters: boxes of gains, halved until each is decided."""
