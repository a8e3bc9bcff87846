"""From YAML nodes to the model. Everything that can be said without looking at other names is said here."""
