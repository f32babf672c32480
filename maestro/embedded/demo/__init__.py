"""The demo database: an invented shop that the built-in agent can be asked about."""
