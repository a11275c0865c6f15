"""Compiled kernels: h and its derivatives for batches of gains on a CPU, without XLA."""
