"""Pure rules: no framework, no driver, no clock."""
