"""The kinds of value a configuration holds that pydantic does not know by itself."""

import re
from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator

from alertd.domain.lengths import written_length

_PORTS = range(1, 65_536)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def _positive(value: timedelta) -> timedelta:
    if not timedelta(0) < value <= timedelta(days=366):
        raise ValueError("must be longer than nothing and at most a year")
    return value


def _not_negative(value: timedelta) -> timedelta:
    if not timedelta(0) <= value <= timedelta(days=366):
        raise ValueError("must be nothing (0s) or a length of time, at most a year")
    return value


def _language(value: str) -> str:
    if not _LANGUAGE.fullmatch(value):
        raise ValueError('is not a language tag (RFC 5646), e.g. "it-IT"')
    return value


def _timezone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("there is no such time zone") from None
    return value


def _sender(value: str) -> str:
    """CAP 1.2, 3.2.1: no spaces, commas, or the characters `<` and `&`."""
    if not value or re.search(r"[\s,<&]", value):
        raise ValueError('a CAP sender has no space, comma, < or &, e.g. "protezionecivile@comune.example.it"')
    return value


def _listen(value: str) -> str:
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or int(port) not in _PORTS or (":" in host and not host.startswith("[")):
        raise ValueError('is not host:port, e.g. "127.0.0.1:8470", "[::1]:8470" or "0.0.0.0:8470"')
    return value


def _public_url(value: str) -> str:
    if not value:
        return ""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ValueError('is not the address of a site, e.g. "https://allerta.comune.example.it"')
    return value.rstrip("/")


def _one_line(value: str) -> str:
    if not value.strip() or re.search(r"[\x00-\x1f\x7f]", value):
        raise ValueError("must be one line of text, not empty")
    return value.strip()


Duration = Annotated[timedelta, BeforeValidator(written_length), AfterValidator(_positive)]
Span = Annotated[timedelta, BeforeValidator(written_length), AfterValidator(_not_negative)]
Language = Annotated[str, AfterValidator(_language)]
Timezone = Annotated[str, AfterValidator(_timezone)]
Sender = Annotated[str, AfterValidator(_sender)]
Listen = Annotated[str, AfterValidator(_listen)]
PublicUrl = Annotated[str, AfterValidator(_public_url)]
OneLine = Annotated[str, AfterValidator(_one_line)]
