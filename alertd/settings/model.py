"""The sections of the configuration that are the house's own; a channel's keys are its adapter's."""

from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator

from alertd.domain.alert import Purpose
from alertd.settings.values import Duration, Language, Listen, OneLine, PublicUrl, Sender, Span, Timezone


class Section(BaseModel):
    """Frozen; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ServiceSettings(Section):
    """Who speaks, where and in which languages."""

    name: OneLine = Field("alertd (not configured)", description="the name citizens read first, as text")
    sender: Sender = Field("unconfigured@alertd.invalid", description="the CAP sender, e.g. a mail address")
    languages: tuple[Language, ...] = Field(
        ("it-IT", "en-GB"), min_length=1, description='a list of language tags, e.g. ["it-IT", "en-GB"]'
    )
    timezone: Timezone = Field("Europe/Rome", description='an IANA time zone, e.g. "Europe/Rome"')
    zones: tuple[str, ...] = Field(
        (), description='a list of GeoJSON files or patterns, e.g. ["zones/*.geojson"]; empty: those shipped'
    )
    state: Path = Field(description="a folder alertd may write to")


class Api(Section):
    """Where the API and the public pages are served."""

    listen: Listen = Field("127.0.0.1:8470", description='host:port, e.g. "127.0.0.1:8470"')
    public_url: PublicUrl = Field("", description='the address citizens use, e.g. "https://allerta.example.it"')
    trust_forwarded: bool = Field(
        default=False, description="true only behind a reverse proxy of your own that sets X-Forwarded-For"
    )

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])


class Store(Section):
    """Where alerts and receipts are kept."""

    url: str = Field(description='"sqlite:///" and an absolute path, e.g. "sqlite:///var/lib/alertd/alertd.db"')

    @field_validator("url")
    @classmethod
    def _supported(cls, url: str) -> str:
        if url.startswith(("postgresql:", "postgresql+", "postgres:")):
            raise ValueError("PostgreSQL arrives with the several-nodes work; this version keeps its store in SQLite")
        if not url.startswith("sqlite:") or not url.removeprefix("sqlite:").strip("/."):
            raise ValueError("is not the address of a SQLite store")
        return url

    @property
    def path(self) -> Path:
        """The database file: `sqlite:///var/lib/x.db` is `/var/lib/x.db`, as RFC 3986 has it.

        Four slashes mean the same; `sqlite:x.db` is relative to the folder of the configuration.
        """
        rest = self.url.removeprefix("sqlite:")
        return Path("/" + rest.lstrip("/")) if rest.startswith("/") else Path(rest)


class Lifetime(Section):
    """How long an alert without `expires` is carried."""

    emergency: Duration = Field(timedelta(hours=24), description='a length of time, e.g. "24h"')
    service: Duration = Field(timedelta(hours=48), description='a length of time, e.g. "48h"')
    event: Duration = Field(timedelta(hours=72), description='a length of time, e.g. "72h"')

    def of(self, purpose: Purpose) -> timedelta:
        match purpose:
            case Purpose.EMERGENCY:
                return self.emergency
            case Purpose.SERVICE:
                return self.service
            case Purpose.EVENT:
                return self.event


class Retrying(Section):
    """Exponential with full jitter: the n-th wait is uniform between nothing and min(cap, base x 2^n)."""

    base: Duration = Field(timedelta(seconds=1), description='a length of time, e.g. "1s"')
    cap: Duration = Field(timedelta(minutes=5), description='a length of time, e.g. "5m"')
    max_attempts: int = Field(100, ge=1, le=10_000, description="a whole number from 1 to 10000")


class Delivery(Section):
    lifetime: Lifetime = Lifetime()
    retry: Retrying = Retrying()


class Feeds(Section):
    """What the public feeds list beside all that holds."""

    past: Span = Field(timedelta(days=7), description='a length of time, e.g. "7d"; "0s" for none')
    limit: int = Field(1_000, ge=0, le=100_000, description="a whole number from 0 to 100000")


class Retention(Section):
    """How long what other systems posted is kept; the names of their messages stay."""

    documents: Duration = Field(timedelta(days=60), description='a length of time, e.g. "60d"')
    early: Duration = Field(timedelta(days=30), description='a length of time, e.g. "30d"')


class Officers(Section):
    """How those are paged who decide on the drafts of rules."""

    remind: Duration = Field(timedelta(minutes=5), description='a length of time, at least "30s", e.g. "5m"')
    reminders: int | None = Field(
        None, ge=0, le=10_000, description="a whole number from 0 to 10000; left out: until the draft expires"
    )

    one_by_one: int = Field(5, ge=1, le=1_000, description="a whole number from 1 to 1000")

    @field_validator("remind")
    @classmethod
    def _bearable(cls, remind: timedelta) -> timedelta:
        if remind < timedelta(seconds=30):
            raise ValueError("must be at least 30 seconds: every page of every draft is a message of its own")
        return remind
