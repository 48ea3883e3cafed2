"""Alert templates: the words of what a rule raises, written beforehand and filled with what the source said.

[templates.piena]
category = ["Met"]
severity = "Severe"
[templates.piena.text.it-IT]
event = "Piena della Pesa"
description = "Alle {time} l'idrometro {sensor} segna {value} {unit}."
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, field_validator

from alertd.domain.alert import Area, Category, Certainty, Info, Purpose, ResponseType, Severity, Urgency
from alertd.domain.signal import Signal
from alertd.domain.texts import LIMITS, language_fault, text_fault
from alertd.ingest.rules.values import Duration

FORWARD: Final = "forward"
"""The template every rule has: the words of the CAP message itself."""

_PLACE: Final = re.compile(r"\{([^{}]{0,200})\}")
_UNSAID: Final = "—"
_FACT: Final = "fact."


def _moment(at: datetime | None, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%d/%m/%Y %H:%M") if at else ""


_NAMES: Final[Mapping[str, Callable[[Signal, ZoneInfo], str]]] = {
    "event": lambda signal, _: signal.event,
    "headline": lambda signal, _: signal.headline,
    "sensor": lambda signal, _: signal.sensor,
    "value": lambda signal, _: "" if signal.value is None else f"{signal.value:.10g}",
    "unit": lambda signal, _: signal.unit,
    "colour": lambda signal, _: signal.colour or "",
    "phase": lambda signal, _: signal.phase or "",
    "severity": lambda signal, _: signal.severity or "",
    "zones": lambda signal, _: ", ".join(signal.zones),
    "source": lambda signal, _: signal.source,
    "time": lambda signal, zone: _moment(signal.at, zone),
    "onset": lambda signal, zone: _moment(signal.onset, zone),
    "expires": lambda signal, zone: _moment(signal.expires, zone),
}


def _placed(text: str) -> str:
    for match in _PLACE.finditer(text):
        if match[1] not in _NAMES and not match[1].startswith(_FACT):
            raise ValueError(f"{{{match[1][:40]}}} is no placeholder; there are {', '.join(_NAMES)} and fact.NAME")
    return text


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Text(_Section):
    """What is said in one language."""

    event: str = Field("", description="one line; left out in an all-clear: the event of the alert")
    headline: str | None = Field(default=None, description="one line of text")
    description: str | None = Field(default=None, description="text")
    instruction: str | None = Field(default=None, description="text")
    web: str | None = Field(default=None, description="a web address")
    contact: str | None = Field(default=None, description="one line of text")

    @field_validator("event", "headline", "description", "instruction", "web", "contact")
    @classmethod
    def _fit(cls, text: str | None) -> str | None:
        if text is not None and (fault := text_fault(text, LIMITS["description"])):
            raise ValueError(fault)
        return None if text is None else _placed(text)


Texts = Mapping[str, Text]


class AlertTemplate(_Section):
    """`severity` left out is the source's own, Unknown where it says none. `clear` are the words of the all-clear."""

    purpose: Purpose = Field(Purpose.EMERGENCY, description="emergency, service or event")
    category: tuple[Category, ...] = Field(min_length=1, description='a list of CAP categories, e.g. ["Met"]')
    urgency: Urgency = Field(Urgency.UNKNOWN, description="Immediate, Expected, Future, Past or Unknown")
    severity: Severity | None = Field(default=None, description="Extreme, Severe, Moderate, Minor or Unknown")
    certainty: Certainty = Field(Certainty.UNKNOWN, description="Observed, Likely, Possible, Unlikely or Unknown")
    response_type: tuple[ResponseType, ...] = Field((), description='a list of CAP response types, e.g. ["Avoid"]')
    lifetime: Duration = Field(timedelta(hours=12), description='a length of time, e.g. "12h"')
    text: dict[str, Text] = Field(min_length=1, description='a table [templates.NAME.text.it-IT] with event = "…"')
    clear: dict[str, Text] = Field({}, description="a table [templates.NAME.clear.it-IT]")

    @field_validator("text", "clear")
    @classmethod
    def _languages(cls, texts: dict[str, Text]) -> dict[str, Text]:
        for language in texts:
            if fault := language_fault(language):
                raise ValueError(fault)
        return texts

    @field_validator("text")
    @classmethod
    def _events(cls, texts: dict[str, Text]) -> dict[str, Text]:
        for language, text in texts.items():
            if not text.event.strip():
                raise ValueError(f"{language} has no `event`")
        return texts


def filled(text: str, signal: Signal, zone: ZoneInfo) -> str:
    """The text with what the signal says in its places; what it does not say is a dash."""

    def said(match: re.Match[str]) -> str:
        name = match[1]
        if name.startswith(_FACT):
            wanted = name.removeprefix(_FACT)
            return next((pair.value for pair in signal.facts if pair.value_name == wanted), "") or _UNSAID
        return _NAMES[name](signal, zone) or _UNSAID

    return _PLACE.sub(said, text)


def infos(
    template: AlertTemplate, signal: Signal, area: Sequence[Area], now: datetime, zone: ZoneInfo
) -> tuple[Info, ...]:
    """One Info for each language of the template. It ends when the source says, if that is still to come."""
    said = signal.expires
    expires = said if said is not None and said > now else now + template.lifetime
    onset = signal.onset if signal.onset is not None and signal.onset <= expires else None
    return tuple(
        Info(
            language=language,
            category=template.category,
            event=_cut(filled(text.event, signal, zone), "event"),
            urgency=template.urgency,
            severity=template.severity or signal.severity or Severity.UNKNOWN,
            certainty=template.certainty,
            response_type=template.response_type,
            onset=onset,
            expires=expires,
            **_words(text, signal, zone),
            area=tuple(area),
        )
        for language, text in template.text.items()
    )


def all_clear(
    template: AlertTemplate, signal: Signal, area: Sequence[Area], now: datetime, zone: ZoneInfo
) -> tuple[Info, ...]:
    """That it is over, in every language the alert spoke; where no words were written for one, the plainest."""
    made = []
    for language, told in template.text.items():
        text = template.clear.get(language, Text())
        event = _cut(filled(text.event or told.event, signal, zone), "event")
        words = _words(text, signal, zone)
        words["headline"] = words["headline"] or f"{_over(language)}: {event}"[: LIMITS["headline"]]
        made.append(_clear_info(language, template.category, event, words, area, now + template.lifetime))
    return tuple(made)


def _clear_info(
    language: str,
    category: tuple[Category, ...],
    event: str,
    words: Mapping[str, Any],
    area: Sequence[Area],
    expires: datetime,
) -> Info:
    return Info(
        language=language,
        category=category,
        event=event,
        urgency=Urgency.PAST,
        severity=Severity.MINOR,
        certainty=Certainty.OBSERVED,
        response_type=(ResponseType.ALL_CLEAR,),
        expires=expires,
        **words,
        area=tuple(area),
    )


def cleared(info: Info, now: datetime, lifetime: timedelta) -> Info:
    """An Info somebody else wrote, as its own all-clear: no word of what to do remains."""
    words = {"headline": f"{_over(info.language)}: {info.event}"[: LIMITS["headline"]]}
    return _clear_info(info.language, info.category, info.event, words, info.area, now + lifetime)


def _words(text: Text, signal: Signal, zone: ZoneInfo) -> dict[str, Any]:
    names = ("headline", "description", "instruction", "web", "contact")
    given = {name: getattr(text, name) for name in names}
    return {name: None if words is None else _cut(filled(words, signal, zone), name) for name, words in given.items()}


def _cut(text: str, name: str) -> str:
    return text if len(text) <= LIMITS[name] else f"{text[: LIMITS[name] - 1]}…"


_ENDS: Final = {"it": "Cessata allerta", "de": "Entwarnung", "fr": "Fin d'alerte", "es": "Fin de la alerta"}


def _over(language: str) -> str:
    return _ENDS.get(language.partition("-")[0].lower(), "All clear")
