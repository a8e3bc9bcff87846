"""Stages become plain Python functions, built as syntax trees whose places are those of the YAML file."""
