"""Graphs of a file: how components are created, and how a stage is carried out. Made from the model alone."""
