"""What `maestro init` writes: an agent, its tools and its script. Kept here as they are written there."""
