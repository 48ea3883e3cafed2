"""One recipient's message: a few header lines put in front of the shared bytes. Microseconds."""

import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Final

from adapters.email.address import is_canonical
from adapters.email.compose import Letter
from adapters.email.identity import Identity, is_message_id
from alertd.ports.adapter import Parcel

_URL: Final = re.compile(r"https?://[\x21-\x3b\x3d\x3f-\x7e]{1,900}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """Ready for the wire. `content` is what follows DATA, closing dot included; `ref` the Message-ID."""

    sender: bytes
    recipient: bytes
    content: bytes
    ref: str


def address_letter(
    letter: Letter, parcel: Parcel, *, identity: Identity, now: datetime, unsubscribe_url: str
) -> Envelope:
    """ValueError where the address is not in canonical form: it would be an injection or a slip of the store."""
    if not is_canonical(parcel.address):
        raise ValueError("the address is not in canonical form")
    ref = identity.message_id(letter.identifier, parcel.endpoint_id)
    head = [
        f"Date: {format_datetime(now)}",
        f"Message-ID: {ref}",
        f"To: {parcel.address}",
        *_thread(letter, parcel, identity),
        *_unsubscribe(unsubscribe_url),
        "",
    ]
    return Envelope(
        sender=identity.envelope_sender(parcel.delivery_id).encode("ascii"),
        recipient=parcel.address.encode("ascii"),
        content="\r\n".join(head).encode("ascii") + letter.shared,
        ref=ref,
    )


def _thread(letter: Letter, parcel: Parcel, identity: Identity) -> list[str]:
    """In-Reply-To and References (RFC 5322 section 3.6.4) of what follows up on an earlier alert.

    The first message of the thread is known by computation, the latest from its receipt.
    """
    if letter.root in ("", letter.identifier):
        return []
    first = identity.message_id(letter.root, parcel.endpoint_id)
    latest = parcel.thread if parcel.thread is not None and is_message_id(parcel.thread) else first
    references = first if latest == first else f"{first}\r\n {latest}"
    return [f"In-Reply-To: {latest}", f"References: {references}"]


def _unsubscribe(url: str) -> list[str]:
    """One click (RFC 8058). A link that cannot stand in a header is left out: the alert matters more."""
    if _URL.fullmatch(url) is None:
        return []
    return [f"List-Unsubscribe: <{url}>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"]
