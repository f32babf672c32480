"""How each log entry changes the context: one file per part of it. Called by evolve only."""
