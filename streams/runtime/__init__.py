"""Runs one role in one process on Faust: concurrency, order and acknowledgement without losing a message."""
