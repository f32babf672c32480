"""Redis, the live state: contexts, timers, the step journal and the live feed; the only folder with `redis`."""
