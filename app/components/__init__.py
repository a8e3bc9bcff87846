"""Reusable blocks of the pages; each has one `show(...)`."""
