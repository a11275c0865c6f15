"""Timings of the library against its peers; see docs/benchmarks.md. The verb is `run`."""
