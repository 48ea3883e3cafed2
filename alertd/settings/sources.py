"""The configured sources: each a table whose `reader` says which model judges the rest of it, and whose `url` how what
it says comes here."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import Field

from alertd.cap.trust import NOBODY, Certificate, Trust
from alertd.ingest.kinds import KINDS, options_of
from alertd.ingest.readers.received import Options
from alertd.ingest.source import CAP_FEED, SIGNABLE, Polled, Pushed, SourceSpec, Subscribed, Way
from alertd.settings.cap import SIGNED, TRUSTED, Signed, read_anchors
from alertd.settings.coerce import validated
from alertd.settings.errors import nearest, shown
from alertd.settings.findings import Findings
from alertd.settings.model import Section
from alertd.settings.report import fields_by_key, unknown_keys
from alertd.settings.secret import resolve
from alertd.settings.source import Key
from alertd.settings.values import Duration, Language

_SECTION = "sources"
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_EXTRAS = {"jsonpath": "jsonpath", "shapefile": "dpc"}


class Common(Section):
    """The keys every source has, whatever it says and however it comes."""

    reader: str = Field(description="how what it says is read")
    stale_after: Duration | None = Field(default=None, description='a length of time, e.g. "30m"')
    language: Language | None = Field(default=None, description="what a CAP info without a language speaks")
    trusted: Path | None = Field(default=None, description=TRUSTED)
    signed: Signed = Field(default="optional", description=SIGNED)
    tell_officers: bool = Field(default=True, description="true or false: tell officers when it falls silent")


def read_sources(
    written: object, environ: Mapping[str, str], findings: Findings, anchors: tuple[Certificate, ...] = ()
) -> dict[str, SourceSpec]:
    """Those that are valid; what is wrong with the others is among the findings."""
    if not isinstance(written, dict):
        return {}  # said elsewhere
    sources: dict[str, SourceSpec] = {}
    for name, table in written.items():
        key = (_SECTION, name)
        if not _NAME.fullmatch(name):
            findings.refuse(key, "is not a name of a source", "lower-case letters, digits, - and _, at most 32")
        elif not isinstance(table, dict):
            findings.refuse(key, "is not a table", f'[sources.{name}] with reader = "…"', shown(table))
        else:
            before = len(findings.problems)
            spec = _source(name, _resolved(table, key, environ, findings), anchors, findings)
            if spec is not None and len(findings.problems) == before:  # a secret may be missing
                sources[name] = spec
    return sources


def _resolved(table: dict[str, Any], key: Key, environ: Mapping[str, str], findings: Findings) -> dict[str, Any]:
    """Secrets stand in tables and, several of them, in lists; a mapping's own `{value = …}` is none."""
    resolved: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, list):
            each = ((str(i), one) for i, one in enumerate(value))
            resolved[name] = [resolve(one, (*key, name, i), environ, findings) for i, one in each]
        else:
            resolved[name] = resolve(value, (*key, name), environ, findings)
    return resolved


def _source(
    name: str, table: dict[str, Any], anchors: tuple[Certificate, ...], findings: Findings
) -> SourceSpec | None:
    key = (_SECTION, name)
    before = len(findings.problems)
    model = _model(name, table.get("reader"), findings)
    way_model = _way(table, key, findings)
    if model is None or way_model is None:
        return None
    own, way_keys = fields_by_key(model), fields_by_key(way_model)
    common = {field: info for field, info in fields_by_key(Common).items() if field not in own}
    unknown_keys(table, model, key, findings, also=(*common, *way_keys))
    shared = validated(Common, _part(table, common), key, findings)
    way = validated(way_model, _part(table, {k: v for k, v in way_keys.items() if k not in own}), key, findings)
    options = validated(model, _part(table, own), key, findings)
    if shared is None or way is None or options is None or len(findings.problems) > before:
        return None
    kind = str(table["reader"])
    if kind == CAP_FEED and not isinstance(way, Polled):
        findings.refuse((*key, "url"), "a feed is polled", 'url = "https://…"')
        return None
    trust = _trust(kind, shared, anchors, key, findings)
    way, stale_after = _anchored(way, findings), _stale(shared, way)
    return SourceSpec(
        name, kind, options, way, stale_after, shared.language, trust=trust, tell_officers=shared.tell_officers
    )


def _trust(kind: str, common: Common, anchors: tuple[Certificate, ...], key: Key, findings: Findings) -> Trust:
    """Of its own, else everybody's."""
    if kind not in SIGNABLE:
        for name in sorted({"trusted", "signed"} & common.model_fields_set):
            wrong = "what this reader reads is never signed by XML Signature"
            findings.refuse((*key, name), wrong, f"leave it out; the readers of CAP are {', '.join(sorted(SIGNABLE))}")
        return NOBODY
    own = read_anchors(common.trusted, (*key, "trusted"), findings)
    required = common.signed == "required"
    if required and common.trusted is None and not anchors:
        wrong = "is missing: nothing can be validly signed where nobody is trusted"
        findings.refuse((*key, "trusted"), wrong, f"{TRUSTED}; or cap.trusted for all")
    return Trust(own or anchors, required=required)


def _part(table: Mapping[str, Any], keys: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name in keys}


def _model(name: str, kind: object, findings: Findings) -> type[Options] | None:
    key = (_SECTION, name, "reader")
    if not isinstance(kind, str):
        findings.refuse(key, "is missing", f"one of: {', '.join(KINDS)}")
        return None
    if kind not in KINDS:
        findings.refuse(key, "there is no such reader", nearest(kind, KINDS), shown(kind))
        return None
    try:
        return options_of(kind)
    except ImportError as error:
        _not_installed(key, error, findings, shown(kind))
        return None


def _way(table: Mapping[str, Any], key: Key, findings: Findings) -> type[Way] | None:
    """By the scheme of the address; none at all is a source that posts."""
    url = table.get("url")
    if url is None:
        return Pushed
    scheme = url.partition("://")[0].lower() if isinstance(url, str) and "://" in url else ""
    try:
        urlsplit(url) if isinstance(url, str) else None
    except ValueError:
        scheme = ""
    if scheme in ("mqtt", "mqtts"):
        return Subscribed
    if scheme in ("http", "https"):
        return Polled
    right = "https://… to poll it, mqtts://… to listen to a broker; leave it out for a source that posts"
    findings.refuse((*key, "url"), "is not an address", right, shown(url))
    return None


def _not_installed(key: Key, error: ImportError, findings: Findings, given: str) -> None:
    extra = _EXTRAS.get((error.name or "").partition(".")[0], "ingest")
    findings.refuse(key, f"its library is not installed ({error})", f"pip install 'alertd[{extra}]'", given)


def _anchored(way: Way, findings: Findings) -> Way:
    """Its files are named as seen from the configuration."""
    folder = findings.source.folder
    files = {name: getattr(way, name, None) for name in ("ca_file", "cert_file", "key_file")}
    return way.model_copy(update={name: folder / file.expanduser() for name, file in files.items() if file is not None})


def _stale(common: Common, way: Way) -> float | None:
    """Where it is not said: five polls and never less than five minutes; what comes unasked may be silent."""
    if common.stale_after is not None:
        return common.stale_after.total_seconds()
    if isinstance(way, Polled):
        return max(way.every * 5, timedelta(minutes=5)).total_seconds()
    return None
