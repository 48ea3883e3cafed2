"""Which addresses are taken, and their canonical form.

Narrower than RFC 5321 on purpose: no quoted local parts, no address literals, no routing characters (`%`, `!`),
no SMTPUTF8. What passes can stand in an SMTP command and in a header without quoting, so it can inject nothing.
Messages name the fault, never the address: they may be logged.
"""

import re
from functools import lru_cache
from typing import Final

import idna

MAX_ADDRESS: Final = 254
MAX_LOCAL: Final = 64
MAX_DOMAIN: Final = 253

_ATOM = r"[A-Za-z0-9#$&'*+/=?^_`{|}~-]+"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_LOCAL: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_DOMAIN: Final = re.compile(rf"(?:{_LABEL}\.)+{_LABEL}")


def normalize(address: str) -> str:
    """`local@domain` with the domain lower-cased and in ASCII (IDNA 2008). ValueError says what is wrong."""
    address = address.strip()
    if not address.isprintable() or any(c.isspace() for c in address):
        raise ValueError("an e-mail address holds no blanks, line breaks or control characters")
    if address.count("@") != 1:
        raise ValueError("an e-mail address has exactly one @, as in name@example.org")
    local, _, domain = address.partition("@")
    canonical = f"{_local(local)}@{normalize_domain(domain)}"
    if len(canonical) > MAX_ADDRESS:
        raise ValueError(f"an e-mail address has at most {MAX_ADDRESS} characters")
    return canonical


def normalize_domain(domain: str) -> str:
    """The domain in lower-case ASCII. ValueError says what is wrong."""
    if len(domain) > MAX_DOMAIN:  # before the slow step, and before anything that long is remembered
        raise ValueError(f"what follows the @ has at most {MAX_DOMAIN} characters")
    return _ascii_domain(domain)


def is_canonical(address: str) -> bool:
    """Whether the address is as `normalize` leaves it: safe in commands and headers. Under a microsecond."""
    local, at, domain = address.partition("@")
    return (
        bool(at)
        and len(address) <= MAX_ADDRESS
        and len(local) <= MAX_LOCAL
        and _LOCAL.fullmatch(local) is not None
        and _is_canonical_domain(domain)
    )


@lru_cache(maxsize=4_096)
def _is_canonical_domain(domain: str) -> bool:
    """Remembered, for a page of five hundred citizens names ten domains."""
    return _DOMAIN.fullmatch(domain) is not None


@lru_cache(maxsize=4_096)
def _ascii_domain(domain: str) -> str:
    """Remembered: a list of ten thousand citizens names a hundred domains, and IDNA is most of the work."""
    try:
        ascii_domain = idna.encode(domain, uts46=True).decode("ascii").lower()
    except idna.IDNAError:
        raise ValueError("what follows the @ is not a domain name, as in example.org") from None
    if len(ascii_domain) > MAX_DOMAIN or _DOMAIN.fullmatch(ascii_domain) is None:
        raise ValueError("what follows the @ must be a full domain name, as in example.org")
    if ascii_domain.rpartition(".")[2].isdigit():
        raise ValueError("what follows the @ must be a domain name, not an IP address")
    return ascii_domain


def _local(local: str) -> str:
    if not local:
        raise ValueError("the part before the @ is missing")
    if not local.isascii():
        raise ValueError("the part before the @ holds letters that this mail system cannot carry (only ASCII)")
    if len(local) > MAX_LOCAL:
        raise ValueError(f"the part before the @ has at most {MAX_LOCAL} characters")
    if _LOCAL.fullmatch(local) is None:
        raise ValueError("the part before the @ holds a character or a dot that is not allowed there")
    return local
