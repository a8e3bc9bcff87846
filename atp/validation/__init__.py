"""Checks of what files say together: names, calls, the flow of artefacts, types."""
