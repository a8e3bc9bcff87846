"""The template repository: importing it registers every shipped template (`atp.registry.register`)."""
