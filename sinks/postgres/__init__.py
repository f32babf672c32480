"""The sink that keeps the record in Postgres: which table takes which topic, and how rows are judged."""
