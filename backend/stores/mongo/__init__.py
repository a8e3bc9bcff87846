"""MongoDB: one collection per file, indexes in indexes.py, driver errors translated in driver_errors.py."""
