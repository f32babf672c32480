"""Benchmarks: Maestro beside its floor, in one run on one machine."""
