"""Kafka, PostgreSQL and Redis as child processes in a data folder, and the supervisor of the roles."""
