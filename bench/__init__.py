"""Benchmarks: what runctl costs, by ratio to peers and to limits, in one run."""
