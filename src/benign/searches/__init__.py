"""Observed landscapes in any dimension."""
