"""What a text of an alert may hold, so that every reader, XML included, can be given it as it is."""

import re
from urllib.parse import urlsplit

LIMITS = {
    "event": 200,
    "headline": 500,
    "description": 10_000,
    "instruction": 10_000,
    "audience": 500,
    "sender_name": 200,
    "web": 2_000,
    "contact": 500,
    "note": 2_000,
    "source": 500,
    "restriction": 500,
    "addresses": 2_000,
    "incidents": 1_000,
    "code": 200,
    "area_desc": 1_000,
    "zone": 200,
    "value_name": 200,
    "value": 2_000,
    "resource_desc": 500,
    "mime_type": 100,
    "uri": 2_000,
    "digest": 200,
    "deref_uri": 1_000_000,
}
"""The most characters of each text. A headline under 160 is advice: see `lint.advise`."""

_ILLEGAL = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,4}")
_IDENTIFIER = re.compile(r"[^\s,<&]+")


def text_fault(text: str, limit: int) -> str | None:
    """What is wrong with a text: too long, or a character that XML 1.0 (2.2) or a terminal cannot take."""
    if len(text) > limit:
        return f"{len(text)} characters; at most {limit} are taken"
    illegal = _ILLEGAL.search(text)
    if illegal:
        return f"has the control character U+{ord(illegal[0]):04X} at position {illegal.start() + 1}"
    return None


def language_fault(tag: str) -> str | None:
    """What is wrong with a language tag (RFC 3066, as CAP 1.2 asks; a primary subtag of 2 or 3 letters)."""
    if _LANGUAGE.fullmatch(tag):
        return None
    return f"{tag[:40]!r} is not a language tag; write e.g. 'it-IT' or 'en'"


def url_fault(url: str) -> str | None:
    """What is wrong with a link that citizens are given: it must be absolute, http or https."""
    try:
        parts = urlsplit(url)
        good = parts.scheme in {"http", "https"} and bool(parts.hostname) and not re.search(r"[\s<>\"]", url)
    except ValueError:
        good = False
    return None if good else f"{url[:80]!r} is not a full web address; write e.g. 'https://www.comune.example.it/page'"


def identifier_fault(text: str) -> str | None:
    """What is wrong with a CAP identifier or sender: no blank, comma, `<` or `&` (CAP 1.2, section 3.2.1)."""
    if _IDENTIFIER.fullmatch(text) and not _ILLEGAL.search(text):
        return None
    return f"{text[:80]!r} must be one word without blanks, commas, '<' or '&'"
