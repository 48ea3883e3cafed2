"""One recipient's message: a few header lines put in front of the shared bytes. Two or three microseconds."""

import re
from datetime import datetime
from email.utils import format_datetime
from typing import Final, NamedTuple

from adapters.email.address import is_canonical
from adapters.email.compose import Letter
from adapters.email.identity import Identity, is_message_id
from alertd.ports.adapter import Parcel

_URL: Final = re.compile(r"https?://[\x21-\x3b\x3d\x3f-\x7e]{1,900}")


class Envelope(NamedTuple):
    """Ready for the wire. `head` is header lines to put before the letter's; `ref` is the Message-ID."""

    sender: bytes
    recipient: bytes
    head: bytes
    ref: str


class Stationery:
    """What the envelopes of one page have in common, worked out once."""

    def __init__(self, letter: Letter, identity: Identity) -> None:
        self._id_before, self._id_after = identity.message_id_around(letter.identifier)
        follows_up = letter.root not in ("", letter.identifier)
        self._root_around = identity.message_id_around(letter.root) if follows_up else None
        plus = "+" if identity.verp else ""
        self._sender = f"{identity.bounce_local}{plus}", f"@{identity.bounce_domain}"
        self._verp = identity.verp
        self._moment: datetime | None = None
        self._date = ""

    def address(self, parcel: Parcel, *, now: datetime, unsubscribe_url: str) -> Envelope:
        """ValueError where the address is not in canonical form: it would be an injection or a slip of the store."""
        _, _, endpoint_id, address, _, _, thread = parcel
        if not is_canonical(address):
            raise ValueError("the address is not in canonical form")
        ref = f"{self._id_before}{endpoint_id}{self._id_after}"
        thread_lines = self._thread(endpoint_id, thread) if self._root_around else ""
        head = f"{self._opening(now)}{ref}\r\nTo: {address}\r\n{thread_lines}"
        if _URL.fullmatch(unsubscribe_url) is not None:
            # One click (RFC 8058). A link that cannot stand in a header is left out: the alert matters more.
            head += f"List-Unsubscribe: <{unsubscribe_url}>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
        before, after = self._sender
        sender = f"{before}{parcel.delivery_id}{after}" if self._verp else f"{before}{after}"
        return Envelope(sender.encode("ascii"), address.encode("ascii"), head.encode("ascii"), ref)

    def _opening(self, now: datetime) -> str:
        """Date and the name of Message-ID, once for each moment: who sends asks for whole batches at one moment."""
        if self._moment is not now:
            self._moment = now
            self._date = f"Date: {format_datetime(now)}\r\nMessage-ID: "
        return self._date

    def _thread(self, endpoint_id: int, latest: str | None) -> str:
        """In-Reply-To and References (RFC 5322 section 3.6.4) of what follows up on an earlier alert.

        The first message of the thread is known by computation, the latest from its receipt.
        """
        assert self._root_around is not None
        before, after = self._root_around
        first = f"{before}{endpoint_id}{after}"
        if latest is None or latest == first or not is_message_id(latest):
            return f"In-Reply-To: {first}\r\nReferences: {first}\r\n"
        return f"In-Reply-To: {latest}\r\nReferences: {first}\r\n {latest}\r\n"
