"""The workstation's backend: REST API, stores, runs. Reached by everyone else over HTTP only."""
