"""Samples of welds: where they come from, how they become tensors."""
