"""Whether a webhook is genuine, as Standard Webhooks 1.0 says: HMAC-SHA256 over id, time and body.

Signed by the same rule that signs what alertd sends (`adapters.webhook.signature`).
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, ConfigDict, Field, SecretStr

from adapters.webhook.signature import Signer, secret_bytes
from alertd.ingest.readers.received import Options

TOLERANCE: Final = timedelta(minutes=5)
MAX_SIGNATURES: Final = 20
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_ID: Final = re.compile(r"[\x21-\x7e]{1,256}")


def _readable(secret: SecretStr) -> SecretStr:
    secret_bytes(secret)
    return secret


Secret = Annotated[SecretStr, AfterValidator(_readable)]


class Config(Options):
    """`secrets`: `whsec_` and base64, or taken as they are. Several while one is being replaced by another."""

    # What is wrong with a secret must not be shown with the secret.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    secrets: Annotated[tuple[Secret, ...], Field(min_length=1, max_length=5)]


class Unverified(ValueError):
    """A webhook that is not proven genuine. The text may be shown to its sender."""


class Verifier:
    """The keys of one source, made ready once."""

    def __init__(self, secrets: Sequence[SecretStr]) -> None:
        self._signers = [Signer(secret_bytes(secret)) for secret in secrets]

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> str:
        """The `webhook-id`, the same for a repeat of the same message. `headers` by lower-case name. Raises Unverified.

        A signature of an unknown version is passed over; one good signature by any key is enough.
        """
        message_id = headers.get("webhook-id", "")
        timestamp = headers.get("webhook-timestamp", "")
        if not _ID.fullmatch(message_id):
            raise Unverified("webhook-id is missing or not one word")
        self._fresh(timestamp, now)
        given = [
            text.partition(",")[2].encode("utf-8", "replace")
            for text in headers.get("webhook-signature", "").split(" ", MAX_SIGNATURES)[:MAX_SIGNATURES]
            if text.startswith("v1,")
        ]
        if not given:
            raise Unverified("webhook-signature holds no signature of version v1")
        if not self._signed(given, f"{message_id}.{timestamp}.".encode(), body):
            raise Unverified("webhook-signature is not ours: another secret, or the body was changed")
        return message_id

    def _signed(self, given: Sequence[bytes], head: bytes, body: bytes) -> bool:
        """Every pair is compared, each in constant time, so that time tells nothing."""
        right = [signer.sign(head, body).encode() for signer in self._signers]
        return any([hmac.compare_digest(ours, theirs) for ours in right for theirs in given])  # noqa: C419

    @staticmethod
    def _fresh(timestamp: str, now: datetime) -> None:
        if not _TIMESTAMP.fullmatch(timestamp):
            raise Unverified("webhook-timestamp is missing or no number of seconds")
        age = now.timestamp() - int(timestamp)
        if abs(age) > TOLERANCE.total_seconds():
            side = "old" if age > 0 else "ahead of our clock"
            raise Unverified(f"webhook-timestamp is {abs(age):.0f} s {side}; at most {TOLERANCE.seconds} s are taken")
