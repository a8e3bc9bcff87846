"""The detector as files for other programs."""
