"""Side by side with peers, one command each: `python -m benchmarks` runs every bench_*.py."""
