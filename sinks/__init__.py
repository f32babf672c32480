"""Sinks: consumers that keep what the topics say in a store. They meet the other programs only on topics."""
