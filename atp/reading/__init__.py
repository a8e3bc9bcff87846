"""From text to YAML nodes with places. Nothing is ever constructed from a tag, nothing is expanded."""
