"""From names to things: the import allow-list, objects of libraries, files of the project."""
