"""A whole Maestro for a test: real processes of every role on the shared services, with names of its own."""

from pathlib import Path

SCRIPTS = Path(__file__).parent / "scripts"
"""Rehearsal scripts for tests."""
