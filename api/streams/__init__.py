"""Streams of events: a session's live feed, followed once for all who watch it."""
