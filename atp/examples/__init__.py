"""The worked examples of the language; `lib.py` has the small networks and data that they name."""
