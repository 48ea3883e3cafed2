"""What comes in by itself and what is made of it: sources, rules and alert templates, read and judged together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from alertd.cap.trust import Certificate
from alertd.ingest.rules.config import Rule
from alertd.ingest.source import SourceSpec
from alertd.ingest.wording import AlertTemplate
from alertd.settings.findings import Findings
from alertd.settings.rules import read_rules
from alertd.settings.sources import read_sources
from alertd.settings.templates import go_together, read_templates

RULES: Final = "rules"
INGEST: Final = frozenset({"sources", "templates", RULES})


@dataclass(frozen=True, slots=True)
class Ingest:
    """Valid as far as it can be known without the territory (see `alertd.current.current_of`)."""

    sources: Mapping[str, SourceSpec] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    templates: Mapping[str, AlertTemplate] = field(default_factory=dict)


def read_ingest(
    environ: Mapping[str, str], channels: Iterable[str], findings: Findings, anchors: tuple[Certificate, ...] = ()
) -> Ingest:
    """Those that are valid and agree; what is wrong with the others is among the findings. `anchors` are believed by
    sources that name nobody of their own."""
    tree = findings.source.tree
    sources = read_sources(tree.get("sources", {}), environ, findings, anchors)
    templates = read_templates(tree.get("templates", {}), findings)
    rules = read_rules(tree.get(RULES, []), findings)
    agreeing = go_together(rules, templates, sources, channels, findings)
    return Ingest(sources, agreeing, templates)
