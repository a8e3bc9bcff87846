"""Routes: parse, call, return. Errors become HTTP in error_handlers.py, tokens are checked in access.py."""
