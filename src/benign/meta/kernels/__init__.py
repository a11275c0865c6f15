"""Compiled kernels: h, ∇h, ∇²h[E] and ∇²h of a padded batch of gains.

`closed` is for one and two states, `doubling` for more; `benign.meta.batched` chooses.
"""
