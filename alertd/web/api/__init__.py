"""The HTTP API under /v1, as CONTRACT.md words it, and the daemon's own health and metrics."""
