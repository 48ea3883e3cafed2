"""Secrets and names the daemon makes for itself, kept in its state folder."""

import os
import secrets
from datetime import datetime
from pathlib import Path

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no letter looks like a digit


def new_id(now: datetime) -> str:
    """An opaque alert id, 20 characters, in the order of time to the millisecond, with 50 random bits.

    Fit to be a CAP identifier too: no space, comma, `<` or `&` (CAP 1.2, 3.2.1).
    """
    number = (int(now.timestamp() * 1000) << 50) | secrets.randbits(50)
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(95, -5, -5))


def kept_secret(path: Path, size: int = 32) -> bytes:
    """The secret in this file, made at the first call (mode 0600); a crash leaves it whole or absent."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        keep(path, secrets.token_bytes(size))
        return path.read_bytes()


def keep(path: Path, content: bytes) -> None:
    """Write a file only its owner can read, all or nothing, durably; an existing one is replaced."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
