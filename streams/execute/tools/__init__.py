"""The tools that come with Maestro."""
