"""Scenarios: the sectors' packs over recorded data, beside what the data themselves say happened.

What is expected was written down before a rule was tried on it; each file says where its truth
comes from. The data stay outside the project, and a test without them is skipped.
"""
