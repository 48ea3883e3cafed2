"""A configured source: who reads what it says, and how that comes here: polled, from an MQTT broker, or pushed."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from alertd.cap.trust import NOBODY, Trust
from alertd.ingest.readers.received import Options
from alertd.ingest.readers.standard_webhooks import Secret
from alertd.ingest.rules.values import Duration

CAP_FEED: Final = "cap_feed"
SIGNABLE: Final = frozenset({"cap", CAP_FEED, "dpc"})
"""What reads CAP in XML, which may be signed."""
MEBIBYTE: Final = 1 << 20
_POLL_SCHEMES: Final = ("https", "http")
_MQTT_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}
_MAX_TOPIC: Final = 65_535  # MQTT 3.1.1, 1.5.3


def _every(value: timedelta) -> timedelta:
    if not timedelta(seconds=30) <= value <= timedelta(hours=1):
        raise ValueError("must be from 30s to 1h (3600s)")
    return value


def _patience(value: timedelta) -> timedelta:
    if value > timedelta(minutes=5):
        raise ValueError("must be at most 5m")
    return value


def _topic(value: str) -> str:
    """A topic filter (MQTT 3.1.1, 4.7): `#` only at the end, `+` and `#` alone between slashes."""
    levels = value.split("/")
    whole = all(level in ("+", "#") or not {"+", "#"} & set(level) for level in levels)
    if not value or len(value.encode()) > _MAX_TOPIC or "\0" in value or not whole or "#" in levels[:-1]:
        raise ValueError('is not a topic filter of MQTT, e.g. "stations/+/level"')
    return value


Every = Annotated[Duration, AfterValidator(_every)]
Patience = Annotated[Duration, AfterValidator(_patience)]
Topic = Annotated[str, AfterValidator(_topic)]
_LENGTH = 'a length of time, e.g. "60s"'


class _Way(BaseModel):
    """Frozen; an unknown key is an error; what is wrong with a secret is not shown with the secret."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Polled(_Way):
    """Asked every so often over HTTPS. Redirects and the links in a feed lead to its own host or to `hosts`."""

    url: str = Field(description='the address, e.g. "https://feeds.example.org/api"; {since} is 24 hours ago, in UTC')
    every: Every = Field(timedelta(seconds=60), description=f"{_LENGTH}, from 30s to 1h")
    timeout: Patience = Field(timedelta(seconds=20), description=f"{_LENGTH}, at most 5m: for the whole answer")
    max_bytes: int = Field(16 * MEBIBYTE, ge=1024, le=128 * MEBIBYTE, description="bytes, once decompressed")
    hosts: tuple[str, ...] = Field((), max_length=100, description='other hosts that may be asked, e.g. ["cap.x.org"]')
    max_links: int = Field(20, ge=1, le=200, description="how many documents of a feed are fetched in one poll")
    allow_http: bool = Field(default=False, description="true where a source of your own has no TLS")
    ca_file: Path | None = Field(default=None, description="one more certificate authority (PEM)")

    @model_validator(mode="after")
    def _address(self) -> Self:
        parts = urlsplit(self.url)
        if parts.scheme not in _POLL_SCHEMES or not parts.hostname or parts.username or parts.fragment:
            raise ValueError("`url` is not an address such as https://feeds.example.org/api")
        if parts.scheme == "http" and not self.allow_http:
            raise ValueError("`url` is not https; write allow_http = true where a source of your own has no TLS")
        return self


class Subscribed(_Way):
    """Heard from an MQTT broker (3.1.1), at least once (QoS 1), in a session the broker keeps while we are away."""

    url: str = Field(description='the broker, e.g. "mqtts://broker.example.it:8883"')
    topics: tuple[Topic, ...] = Field(min_length=1, max_length=100, description='a list, e.g. ["stations/+/level"]')
    username: str | None = Field(default=None, description="as text")
    password: SecretStr | None = Field(default=None, description="a credential or a file")
    client_id: str = Field("", max_length=64, description="one word, this source's alone; left out: made of its name")
    ca_file: Path | None = Field(default=None, description="the broker's certificate authority (PEM)")
    cert_file: Path | None = Field(default=None, description="our certificate (PEM), where the broker asks for one")
    key_file: Path | None = Field(default=None, description="its private key (PEM)")
    timeout: Patience = Field(timedelta(seconds=20), description=f"{_LENGTH}, at most 5m: to connect")

    @model_validator(mode="after")
    def _address(self) -> Self:
        parts = urlsplit(self.url)
        try:
            good = parts.scheme in _MQTT_PORTS and bool(parts.hostname) and (parts.port or 1) > 0
        except ValueError:
            good = False
        if not good or parts.username or parts.path.strip("/"):
            raise ValueError("`url` is not a broker such as mqtts://broker.example.it:8883")
        if self.password is not None and self.username is None:
            raise ValueError("`password` needs a `username`")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("`cert_file` and `key_file` go together")
        if parts.scheme == "mqtt" and (self.ca_file or self.cert_file):
            raise ValueError("`ca_file` and `cert_file` are for mqtts://; this `url` is not encrypted")
        return self

    @property
    def tls(self) -> bool:
        return urlsplit(self.url).scheme == "mqtts"

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or _MQTT_PORTS[parts.scheme]


class Pushed(_Way):
    """Posted to `/v1/ingest/NAME` by somebody with a token. With `secrets` only what is signed is taken."""

    secrets: tuple[Secret, ...] = Field((), max_length=5, description="secrets of Standard Webhooks, as credentials")


Way = Polled | Subscribed | Pushed


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """A source, valid but not open. Two that are equal are the same: a reload leaves it alone.

    `reader` and `options` say how a payload is read, `way` how it comes, and no other way.
    `stale_after` is in seconds, None for a source that may be silent for ever. `language` is what a CAP info without
    one speaks. `trust`: whose signatures of CAP documents are believed. `tell_officers` when it falls silent, and when
    it is heard again.
    """

    name: str
    reader: str
    options: Options
    way: Way
    stale_after: float | None
    language: str | None = None
    trust: Trust = NOBODY
    tell_officers: bool = True
