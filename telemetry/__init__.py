"""The names of what is observed: traces, logs, metrics, points. No clients."""
