"""Nouns on the wire: frozen pydantic models shared by the API, the UI and the CLI. Imports nothing of ours."""
