"""Starts and stops a real mongod and a real Redis-protocol server as child processes. Knows nothing else."""
