"""The edge: HTTP for applications. Writes are published, reads come from the record, events from the feed."""
