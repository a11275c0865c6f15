"""Proofs for one state and one input: every stationary point on the line."""
