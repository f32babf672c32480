"""The recents sink: what lists of sessions show, kept in Redis with an expiry."""
