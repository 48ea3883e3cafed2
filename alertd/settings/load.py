"""The whole configuration: read, completed with what follows from it, then valid, or refused with reasons."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from alertd.ports.adapter import Service
from alertd.settings.cap import MAY_FAIL, CapTerms, read_cap
from alertd.settings.channels import Channel, LoadAdapter, installed, read_channel
from alertd.settings.coerce import validated
from alertd.settings.errors import ConfigError, ConfigProblem, nearest, shown
from alertd.settings.findings import Findings
from alertd.settings.folders import shipped, state_folder
from alertd.settings.ingest import INGEST, RULES, Ingest, read_ingest
from alertd.settings.model import Api, Delivery, Feeds, Officers, Retention, ServiceSettings, Store
from alertd.settings.report import unknown_keys
from alertd.settings.secret import resolve
from alertd.settings.source import Source, read

M = TypeVar("M", bound=BaseModel)

_SECTIONS = (
    "service",
    "api",
    "store",
    "delivery",
    "feeds",
    "retention",
    "officers",
    "cap",
    "channels",
    "sources",
    "templates",
    "rules",
)
_UNCONFIGURED: Mapping[str, Any] = {"channels": {"push": {"adapter": "webpush"}}}


@dataclass(frozen=True, slots=True)
class Settings:
    """A valid configuration. `file` is None where there is none.

    `zones` are the GeoJSON files the patterns found, in order; `shipped` is the folder of templates and zones
    that came with alertd; `state` is where keys and the bootstrap token are kept (not yet made). `left_out` is what
    is wrong with sources, rules and templates that are not in `ingest`, and with what is not in `cap` (see
    `load_to_start`).
    """

    file: Path | None
    service: ServiceSettings
    api: Api
    store: Store
    delivery: Delivery
    channels: Mapping[str, Channel]
    zones: tuple[Path, ...]
    shipped: Path
    feeds: Feeds = field(default_factory=Feeds)
    officers: Officers = field(default_factory=Officers)
    retention: Retention = field(default_factory=Retention)
    ingest: Ingest = field(default_factory=Ingest)
    left_out: tuple[ConfigProblem, ...] = ()
    cap: CapTerms = field(default_factory=CapTerms)

    @property
    def state(self) -> Path:
        return self.service.state

    @property
    def speaker(self) -> Service:
        """Who speaks, as the core and the adapters know it."""
        s = self.service
        return Service(s.name, s.sender, s.languages, s.timezone, self.api.public_url)


def load(
    file: Path | None,
    *,
    environ: Mapping[str, str] | None = None,
    adapters: Mapping[str, LoadAdapter] | None = None,
) -> Settings:
    """Read and validate. Raises ConfigError with every problem found, never only the first."""
    settings = load_to_start(file, environ=environ, adapters=adapters)
    if settings.left_out:
        raise ConfigError(settings.left_out)
    return settings


def load_to_start(
    file: Path | None,
    *,
    environ: Mapping[str, str] | None = None,
    adapters: Mapping[str, LoadAdapter] | None = None,
) -> Settings:
    """As `load`, for a daemon that starts: a source, a rule or a template that is faulty must not keep people from
    being warned by hand and by the others. It is left out; so is a certificate that expired overnight. Whatever else is
    wrong raises ConfigError, with all of it."""
    environ = os.environ if environ is None else environ
    source = read(file, environ, _UNCONFIGURED)
    findings = Findings(source)
    _sections(findings)
    service = _service(environ, findings)
    api = _section(Api, "api", findings)
    delivery = _section(Delivery, "delivery", findings)
    feeds = _section(Feeds, "feeds", findings)
    officers = _section(Officers, "officers", findings)
    retention = _section(Retention, "retention", findings)
    state = service.state if service else state_folder(environ)
    store = _section(Store, "store", findings, url=f"sqlite://{state.resolve()}/alertd.db")
    channels = _channels(environ, service, installed() if adapters is None else adapters, findings)
    cap = read_cap(environ, findings)
    ingest = read_ingest(environ, channels, findings, cap.trust.anchors if cap else ())
    zones = _zones(service, findings)
    mine = tuple(problem for problem in findings.problems if _may_be_left_out(problem.key))
    if len(mine) < len(findings.problems) or not (
        service and api and delivery and feeds and officers and retention and store and cap
    ):
        raise ConfigError(findings.problems)
    return Settings(
        source.file,
        service,
        api,
        _anchored(store, source),
        delivery,
        channels,
        zones,
        shipped(),
        feeds,
        officers,
        retention,
        ingest,
        mine,
        cap,
    )


def _may_be_left_out(key: str) -> bool:
    return key.partition(".")[0] in INGEST or key in MAY_FAIL


def _sections(findings: Findings) -> None:
    for name, table in findings.source.tree.items():
        if name not in _SECTIONS:
            findings.refuse((name,), "there is no such section", nearest(name, _SECTIONS))
        elif name != RULES and not isinstance(table, dict):
            findings.refuse((name,), "is not a section", f"[{name}] with its keys below it", shown(table))


def _section(model: type[M], name: str, findings: Findings, **defaults: object) -> M | None:
    table = findings.source.tree.get(name, {})
    if not isinstance(table, dict):
        return None
    unknown_keys(table, model, (name,), findings)
    return validated(model, {**defaults, **table}, (name,), findings)


def _service(environ: Mapping[str, str], findings: Findings) -> ServiceSettings | None:
    service = _section(ServiceSettings, "service", findings, state=state_folder(environ))
    if service is None:
        return None
    return service.model_copy(update={"state": findings.source.folder / service.state.expanduser()})


def _anchored(store: Store, source: Source) -> Store:
    return store.model_copy(update={"url": f"sqlite://{(source.folder / store.path).resolve()}"})


def _channels(
    environ: Mapping[str, str],
    service: ServiceSettings | None,
    adapters: Mapping[str, LoadAdapter],
    findings: Findings,
) -> dict[str, Channel]:
    tables = findings.source.tree.get("channels", {})
    if not isinstance(tables, dict):
        return {}
    channels: dict[str, Channel] = {}
    for name, written in tables.items():
        table = resolve(written, ("channels", name), environ, findings)
        if service and isinstance(table, dict) and table.get("adapter") == "webpush":
            table = {"contact": f"mailto:{service.sender}", **table}
        if channel := read_channel(name, table, adapters, findings):
            channels[name] = channel
    return channels


def _zones(service: ServiceSettings | None, findings: Findings) -> tuple[Path, ...]:
    if service is None:
        return ()
    if not service.zones:
        return tuple(sorted((shipped() / "zones").glob("*.geojson")))
    folder = findings.source.folder
    files: dict[Path, None] = {}
    for pattern in service.zones:
        found = _matching(folder, pattern)
        files.update(dict.fromkeys(found))
        if not found:
            right = f'GeoJSON files that exist, relative to {folder}, e.g. ["zones/*.geojson"]'
            findings.refuse(("service", "zones"), "no file matches", right, shown(pattern))
    return tuple(files)


def _matching(folder: Path, pattern: str) -> list[Path]:
    path = Path(pattern).expanduser()
    base = Path(path.anchor) if path.is_absolute() else folder
    relative = str(path.relative_to(path.anchor)) if path.is_absolute() else pattern
    try:
        return sorted(found for found in base.glob(relative) if found.is_file())
    except (ValueError, NotImplementedError, OSError):
        return []
