"""Redis: what may be lost without harm. Wake-ups of waiting workers; the truth is in MongoDB."""
