"""The session step: a pure core that decides, and a thin shell that loads, stores and publishes."""
