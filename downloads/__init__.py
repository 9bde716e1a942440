"""The download service: what was bought, what the platform was told of it, and the locker (Download guide)."""
