"""The stores: Redis for the live state, Postgres for the record."""
