"""Redis, the live state: contexts, timers, the step journal, the live feed; the only folder with `redis`."""
