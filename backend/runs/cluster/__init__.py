"""Runs on the nodes of a cluster: one job per run, whose process is an ordinary agent (docs/decisions/0006)."""
