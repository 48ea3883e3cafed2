"""What a rule says of readings: `[rules.reading]`."""

from datetime import timedelta
from functools import cached_property
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from alertd.ingest.rules.values import Duration, Positive

_LENGTH = 'a length of time, e.g. "10m"'
_NUMBER = "a number, in the unit the source sends"


class Reading(BaseModel):
    """When readings of a sensor mean something, and which readings are not to be believed. Conditions given together
    must hold together; for one or the other, write two rules."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    above: FiniteFloat | None = Field(None, description=f"{_NUMBER}; reaching it counts")
    below: FiniteFloat | None = Field(None, description=f"{_NUMBER}; reaching it counts")
    clear: FiniteFloat | None = Field(
        None, description="a number below `above` (or above `below`): it is over when the value is back beyond it"
    )
    rise: Positive | None = Field(None, description=f"{_NUMBER}, above 0: so much more than the least within `within`")
    within: Duration | None = Field(None, description=_LENGTH)
    clear_rise: Positive | None = Field(None, description="a number below `rise`; left out: half of it")
    lasting: Duration | None = Field(None, alias="for", description=_LENGTH)
    of: tuple[str, ...] = Field((), max_length=64, description='a list of sensors, e.g. ["pesa-1", "pesa-2"]')
    at_least: int = Field(1, ge=1, description="how many of the sensors in `of` must say so")
    stale_after: Duration = Field(timedelta(hours=1), description=_LENGTH)
    range: tuple[FiniteFloat, FiniteFloat] | None = Field(None, description="[lowest, highest] the sensor can measure")
    stuck_after: Duration | None = Field(None, description=_LENGTH)
    max_step: Positive | None = Field(None, description=f"{_NUMBER}, above 0: the most two readings in a row differ by")
    confirm: int = Field(2, ge=1, le=20, description="how many later readings in line make a larger step believed")

    @model_validator(mode="after")
    def _threshold(self) -> Self:
        if self.above is not None and self.below is not None:
            raise ValueError("has `above` and `below`: write two rules, one for each")
        if self.clear is not None and self.edge is None:
            raise ValueError("has `clear` without `above` or `below`: it says where one of them ends")
        if self.clear is not None and self.above is not None and self.clear > self.above:
            raise ValueError("`clear` must not lie above `above`: the alert would end while it begins")
        if self.clear is not None and self.below is not None and self.clear < self.below:
            raise ValueError("`clear` must not lie below `below`: the alert would end while it begins")
        return self

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if (self.rise is None) != (self.within is None):
            raise ValueError('`rise` and `within` go together, e.g. rise = 0.5 and within = "1h"')
        if self.clear_rise is not None and (self.rise is None or self.clear_rise > self.rise):
            raise ValueError("`clear_rise` needs a `rise` that is at least as large")
        return self

    @model_validator(mode="after")
    def _group(self) -> Self:
        if len(set(self.of)) < len(self.of) or not all(name.strip() for name in self.of):
            raise ValueError("`of` must name each sensor once")
        if self.at_least > max(1, len(self.of)):
            raise ValueError("`at_least` is more than `of` names; list that many sensors in `of`")
        return self

    @model_validator(mode="after")
    def _sense(self) -> Self:
        if self.lasting and self.edge is None and self.rise is None:
            raise ValueError("`for` says how long `above`, `below` or `rise` must hold; none of them is here")
        if self.stuck_after and self.lasting and self.stuck_after <= self.lasting:
            raise ValueError("`stuck_after` must be longer than `for`: a steady value would never count")
        if self.range is None:
            return self
        low, high = self.range
        if low >= high:
            raise ValueError("`range` is [lowest, highest], the lowest first")
        if any(mark is not None and not low <= mark <= high for mark in (self.above, self.below, self.clear)):
            raise ValueError("`above`, `below` and `clear` must lie in `range`, or no believable value reaches them")
        return self

    @cached_property
    def edge(self) -> float | None:
        return self.above if self.above is not None else self.below

    @cached_property
    def judges(self) -> bool:
        """False where the rule only watches that the sensors speak."""
        return self.edge is not None or self.rise is not None

    @cached_property
    def end(self) -> float:
        """Where the threshold is over; the threshold itself where no hysteresis was asked for."""
        return self.clear if self.clear is not None else (self.edge or 0.0)

    @cached_property
    def end_rise(self) -> float:
        return self.clear_rise if self.clear_rise is not None else (self.rise or 0.0) / 2

    @cached_property
    def lasting_seconds(self) -> float:
        return self.lasting.total_seconds() if self.lasting else 0.0

    @cached_property
    def within_seconds(self) -> float:
        return self.within.total_seconds() if self.within else 0.0

    @cached_property
    def stale_seconds(self) -> float:
        return self.stale_after.total_seconds()

    @cached_property
    def stuck_seconds(self) -> float:
        return self.stuck_after.total_seconds() if self.stuck_after else 0.0
