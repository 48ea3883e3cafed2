"""The names under which a channel writes: author, list, Message-IDs. Made once at opening."""

import hashlib
import re
from dataclasses import dataclass
from email.headerregistry import Address
from typing import Final, Self

from adapters.email.config import EmailConfig

_DOT_ATOM: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_MESSAGE_ID: Final = re.compile(rf"<{_DOT_ATOM.pattern}@[a-z0-9.-]+>")
_LONGEST_READABLE: Final = 100


@dataclass(frozen=True, slots=True)
class Identity:
    """`list_id` is without its angle brackets."""

    author: Address
    list_id: str
    bounce_local: str
    bounce_domain: str
    verp: bool

    @classmethod
    def of(cls, config: EmailConfig) -> Self:
        name, address = config.author
        local, _, domain = address.partition("@")
        bounce_local, _, bounce_domain = config.bounce_address.partition("@")
        return cls(
            author=Address(name, local, domain),
            list_id=config.list_id or f"{_label(local)}.{domain}",
            bounce_local=bounce_local,
            bounce_domain=bounce_domain,
            verp=config.verp,
        )

    def message_id(self, identifier: str, endpoint_id: int) -> str:
        """The same for every attempt at telling this endpoint of the alert with this CAP identifier."""
        before, after = self.message_id_around(identifier)
        return f"{before}{endpoint_id}{after}"

    def message_id_around(self, identifier: str) -> tuple[str, str]:
        """What stands before and after the endpoint's number in the Message-IDs of one alert.

        The identifier stays readable where it is a dot-atom (RFC 5322 section 3.2.3); otherwise its hash stands
        for it.
        """
        if len(identifier) > _LONGEST_READABLE or _DOT_ATOM.fullmatch(identifier) is None:
            digest = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()
            identifier = f"h-{digest[:32]}"
        return f"<{identifier}.", f"@{self.author.domain}>"


def is_message_id(text: str) -> bool:
    """Whether the text is a Message-ID like ours, and so safe in a header."""
    return _MESSAGE_ID.fullmatch(text) is not None


def _label(local: str) -> str:
    """The local part as a label of a list-id (RFC 2919 section 2)."""
    return re.sub(r"[^a-z0-9]+", "-", local.lower()).strip("-") or "list"
