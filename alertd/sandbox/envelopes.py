"""Whether every message came in an envelope of its own: a new key pair and a new salt (RFC 8291, section 3)."""

from collections.abc import Mapping

_SALT = slice(0, 16)
_KEY_X = slice(22, 54)  # after salt, record size, key length and the 4 of an uncompressed point


class Envelopes:
    """About 200 octets are kept of each."""

    def __init__(self) -> None:
        self.reused = 0
        self._contents: dict[bytes, int] = {}
        self._keys: set[bytes] = set()

    def note(self, body: bytes) -> None:
        """Of one aes128gcm message. A salt seen before with other content means key and nonce were used twice,
        which breaks AES-GCM; the same message once more is harmless."""
        mark = hash(body)
        if self._contents.setdefault(body[_SALT], mark) != mark:
            self.reused += 1
        self._keys.add(body[_KEY_X])

    def sums(self) -> Mapping[str, int]:
        return {
            "reused_envelopes": self.reused,
            "distinct_salts": len(self._contents),
            "distinct_keys": len(self._keys),
        }
