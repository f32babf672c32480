"""Who calls: bearer tokens, the keys that prove them, and the caller they name."""
