"""The configured channels: each a table whose `adapter` says which plug-in judges the rest of it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, cast

from pydantic import BaseModel, Field

from alertd.domain.alert import Purpose
from alertd.ports.adapter import AdapterType
from alertd.settings.coerce import validated
from alertd.settings.errors import nearest, shown
from alertd.settings.findings import Findings
from alertd.settings.model import Section
from alertd.settings.report import fields_by_key, unknown_keys
from alertd.settings.values import Language

GROUP = "alertd.adapters"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")

LoadAdapter = Callable[[], AdapterType]
"""Import the adapter. Raises ImportError where its library is not installed."""


class Common(Section):
    """The keys every channel has, whatever its adapter."""

    adapter: str = Field(description="which adapter carries this channel")
    exercise: bool = Field(default=False, description="true: a broadcast channel that drills and tests may use")
    purposes: frozenset[Purpose] = Field(
        default=frozenset(Purpose), min_length=1, description='some of ["emergency", "service", "event"]'
    )
    language: Language | None = Field(default=None, description='the language of a broadcast channel, e.g. "it-IT"')


@dataclass(frozen=True, slots=True)
class Channel:
    """A configured channel, valid but not open. Two that are equal need no reopening at a reload."""

    name: str
    adapter: str
    kind: AdapterType
    config: BaseModel
    exercise: bool
    purposes: frozenset[Purpose]
    language: str | None


def installed() -> dict[str, LoadAdapter]:
    """Every adapter there is, by name; none is imported until it is asked for."""
    return {point.name: cast("LoadAdapter", point.load) for point in entry_points(group=GROUP)}


def read_channel(name: str, table: object, adapters: Mapping[str, LoadAdapter], findings: Findings) -> Channel | None:
    """The channel, or None with the reasons among the findings."""
    key = ("channels", name)
    if not _NAME.fullmatch(name):
        findings.refuse(key, "is not a channel name", "lower-case letters, digits, - and _, at most 32")
    elif not isinstance(table, dict):
        findings.refuse(key, "is not a table", f'[channels.{name}] with adapter = "…"', shown(table))
    elif kind := _adapter(name, table.get("adapter"), adapters, findings):
        return _validated(name, kind, table, findings)
    return None


def _adapter(name: str, wanted: object, adapters: Mapping[str, LoadAdapter], findings: Findings) -> AdapterType | None:
    key = ("channels", name, "adapter")
    if not isinstance(wanted, str):
        findings.refuse(key, "is missing", f"one of: {', '.join(sorted(adapters))}")
    elif wanted not in adapters:
        findings.refuse(key, "there is no such adapter", nearest(wanted, adapters), shown(wanted))
    else:
        try:
            return adapters[wanted]()
        except ImportError as error:
            right = f"install it: pip install 'alertd[{wanted}]'"
            findings.refuse(key, f"its library is not installed ({error})", right, shown(wanted))
    return None


def _validated(name: str, kind: AdapterType, table: dict[str, Any], findings: Findings) -> Channel | None:
    key = ("channels", name)
    shared = fields_by_key(Common)
    before = len(findings.problems)
    unknown_keys(table, kind.Config, key, findings, also=tuple(shared))
    common = validated(Common, {k: v for k, v in table.items() if k in shared}, key, findings)
    config = validated(kind.Config, {k: v for k, v in table.items() if k not in shared}, key, findings)
    if common is None or config is None or len(findings.problems) > before:
        return None
    if common.exercise and kind.traits_of(config).addressed:
        wrong = (
            "marks a broadcast channel that drills may use; this one is addressed, and drills reach its exercise cohort"
        )
        findings.refuse((*key, "exercise"), wrong, "leave it out", "true")
        return None
    return Channel(name, common.adapter, kind, config, common.exercise, common.purposes, common.language)
