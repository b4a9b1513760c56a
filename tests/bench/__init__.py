"""Benchmarks must not rot: what they measure is small here, and no figure is judged."""
