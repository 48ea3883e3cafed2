"""A rule as the operator writes it: one `[[rules]]` of the configuration, valid or refused with its reason."""

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from alertd.ingest.rules.reading import Reading
from alertd.ingest.rules.values import AnyCaseColour, AnyCaseSeverity, Glob, Name, glob

_GLOB = 'a text with * and ? as jokers, upper and lower case alike, e.g. "*temporali*"'
_NUMBER = "a number, in the unit the source sends"


class Action(StrEnum):
    """What a rule may do by itself. DRAFT pages the officers until one decides."""

    DRAFT = "draft"
    SEND = "send"


class Says(StrEnum):
    """What of an alert a new word from the source may change, beside its value (see `change_by`)."""

    SEVERITY = "severity"
    COLOUR = "colour"
    PHASE = "phase"
    ZONES = "zones"
    ONSET = "onset"
    EXPIRES = "expires"


class _Section(BaseModel):
    """Frozen; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(_Section):
    """What a rule looks at: `[rules.match]`. All that is given must hold; what the source did not say never holds."""

    source: Glob = Field(description='the name of a configured source, or a text with * and ?, e.g. "dpc"')
    event: Glob | None = Field(None, description=_GLOB)
    sensor: Glob | None = Field(None, description=_GLOB)
    phase: Glob | None = Field(None, description=_GLOB)
    facts: dict[str, Glob] = Field({}, max_length=20, description='a table, e.g. {alertname = "Gauge*"}')
    min_severity: AnyCaseSeverity | None = Field(None, description="one of Minor, Moderate, Severe, Extreme")
    min_colour: AnyCaseColour | None = Field(None, description="one of verde, gialla, arancione, rossa")
    min_value: FiniteFloat | None = Field(None, description=_NUMBER)
    max_value: FiniteFloat | None = Field(None, description=_NUMBER)
    zones: tuple[str, ...] = Field((), description='a list of the source\'s own codes, e.g. ["Tosc-A1"]')

    @model_validator(mode="after")
    def _values(self) -> Self:
        if self.min_value is not None and self.max_value is not None and self.min_value > self.max_value:
            raise ValueError("`min_value` lies above `max_value`: nothing could match")
        return self

    @cached_property
    def patterns(self) -> Mapping[str, re.Pattern[str]]:
        """The compiled jokers of the keys that are given, by key."""
        given = {"source": self.source, "event": self.event, "sensor": self.sensor, "phase": self.phase}
        return {key: glob(text) for key, text in given.items() if text is not None}

    @cached_property
    def fact_patterns(self) -> tuple[tuple[str, re.Pattern[str]], ...]:
        return tuple((name, glob(text)) for name, text in self.facts.items())


class Rule(_Section):
    """What to look at, when it counts, and what is then drafted or sent. Equal rules are the same rule."""

    name: Name = Field(description="lower-case letters, digits, - and _, at most 32")
    match: Match = Field(description='a table [rules.match] with at least source = "…"')
    reading: Reading = Reading()
    template: Name = Field(description="the name of an alert template")
    zones: tuple[str, ...] = Field((), description='a list of configured zones, e.g. ["048028"], or ["*"] for all')
    zones_by_code: dict[str, tuple[str, ...]] = Field(
        {}, description='a table from the source\'s codes to configured zones, e.g. {"Tosc-A1" = ["048028"]}'
    )
    channels: tuple[Name, ...] | None = Field(
        None, min_length=1, description="a list of channels; left out: the plan's"
    )
    change_on: frozenset[Says] = Field(
        frozenset(Says) - {Says.ONSET},
        description='some of ["severity", "colour", "phase", "zones", "onset", "expires"]',
    )
    change_by: FiniteFloat | None = Field(None, gt=0, description=f"{_NUMBER}, above 0: so much makes an Update")
    action: Action = Field(Action.DRAFT, description='"draft" or "send"')
    unattended: Literal[True] | None = Field(None, description='true, and only with action = "send"')
    tell_officers: bool = Field(default=True, description="true or false: tell officers when its sensors fall silent")
    hourly_cap: int | None = Field(None, ge=1, le=1000, description="a whole number from 1 to 1000")

    @model_validator(mode="after")
    def _unattended(self) -> Self:
        if self.action is Action.SEND and not (self.unattended and self.hourly_cap):
            raise ValueError('action = "send" needs `unattended = true` and an `hourly_cap`, e.g. hourly_cap = 3')
        if self.action is Action.DRAFT and (self.unattended or self.hourly_cap):
            raise ValueError('`unattended` and `hourly_cap` belong to action = "send"; a draft waits for an officer')
        return self

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if bool(self.zones) == bool(self.zones_by_code):
            raise ValueError("needs either `zones` or `zones_by_code`: an alert without a place is never sent")
        if not all(self.zones_by_code.values()):
            raise ValueError("`zones_by_code` must name at least one zone for each code")
        return self

    @model_validator(mode="after")
    def _read(self) -> Self:
        if "reading" in self.model_fields_set and not self.is_reading:
            raise ValueError("[rules.reading] is empty; give it `above`, `below`, `rise` or `stale_after`")
        return self

    @cached_property
    def is_reading(self) -> bool:
        """Whether it judges the readings of sensors; otherwise it judges what is said of a matter."""
        return bool(self.reading.model_fields_set)

    @property
    def all_zones(self) -> frozenset[str]:
        """Every configured zone it may speak to, for checking them against the territory."""
        return frozenset(self.zones).union(*self.zones_by_code.values())

    def zones_of(self, codes: tuple[str, ...]) -> tuple[str, ...]:
        """Where an alert about the source's `codes` goes; empty where none of them is known here."""
        if self.zones:
            return self.zones
        return tuple(dict.fromkeys(zone for code in codes for zone in self.zones_by_code.get(code, ())))
