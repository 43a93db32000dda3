"""Notifier's own side of the benchmarks."""
