"""Adaptation rules, the meta-objective, and the algorithms that minimise it."""
