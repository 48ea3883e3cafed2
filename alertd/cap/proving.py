"""Bytes → what may be read of them: where a signature holds, nothing but what was signed."""

from dataclasses import dataclass
from datetime import datetime

from alertd.cap.document import STANDARD, Limits
from alertd.cap.reader import Reading, read
from alertd.cap.signature import Seal, Verified, verify
from alertd.cap.trust import Trust


@dataclass(frozen=True, slots=True)
class Proven:
    """`doubt` says why nobody may take it for its sender's word without looking: it is taken from no peer and never
    acts unattended; empty where nothing speaks against it."""

    reading: Reading
    verified: Verified
    doubt: str = ""

    @property
    def said(self) -> str:
        """For people: `valid: CN=…`, `unverifiable: it is made with SHA-1, …`; empty where there is nothing to say."""
        if self.verified.reason:
            return f"{self.verified.seal}: {self.verified.reason}"
        return self.verified.seal if self.doubt else ""


def read_proven(
    data: bytes, trust: Trust, at: datetime, *, limits: Limits = STANDARD, language: str | None = None
) -> Proven:
    """`data` read, and verified where it carries a signature, which takes a few milliseconds more. Never raises for
    what the bytes hold."""
    reading = read(data, limits=limits, language=language)
    if not any(found.signed for found in reading.found):
        verified = Verified(Seal.NONE)
    else:
        verified = verify(data, trusted=trust.anchors, at=at, limits=limits)
    if verified.document is not None:
        reading = read(verified.document, limits=limits, language=language)
    return Proven(reading, verified, _doubt(verified, trust))


def unsigned(trust: Trust) -> Proven:
    """What comes in a form that carries no signature."""
    verified = Verified(Seal.NONE)
    return Proven(Reading(()), verified, _doubt(verified, trust))


def _doubt(verified: Verified, trust: Trust) -> str:
    match verified.seal:
        case Seal.INVALID:
            return f"its signature is invalid: {verified.reason}"
        case Seal.UNVERIFIABLE if trust.required:
            return f"a valid signature is required, and its own is unverifiable: {verified.reason}"
        case Seal.NONE if trust.required:
            return "a valid signature is required, and it has none"
        case Seal.VALID | Seal.UNVERIFIABLE | Seal.NONE:
            return ""
