"""Redis: what may be lost without harm. Wake-ups of waiting workers and who is alive; the truth is in MongoDB."""
