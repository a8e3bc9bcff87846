"""Logo, theme, languages and the generator of demonstration data."""
