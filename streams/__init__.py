"""The three roles that carry a session: session, generate, execute; and the runtime that runs them."""
