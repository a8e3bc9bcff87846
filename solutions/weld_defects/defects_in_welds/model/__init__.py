"""The detector and how it learns."""
