"""АТР: training pipelines described in YAML. The language itself arrives with its own issue; nothing is here yet."""
