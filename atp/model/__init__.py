"""What a file says, as plain dataclasses: values, steps, stages, files. No YAML and no Python objects of libraries."""
