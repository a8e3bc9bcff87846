"""Training from the command line and in the workstation."""
