"""The front door: command line, wiring, embedded services, health."""
