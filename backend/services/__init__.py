"""One class per noun, one public method per thing a user can ask; no framework, no driver, no clock."""
