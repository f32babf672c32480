"""The record in Postgres: migrations, queries, a reader per question. The only folder with asyncpg."""
