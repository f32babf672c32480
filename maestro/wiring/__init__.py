"""The composition roots: one module per program, each building it from settings."""
