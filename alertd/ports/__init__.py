"""Floor 2: what the core needs of the world, as Protocols. Implementations meet the core only in app.py."""
