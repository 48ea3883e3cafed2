"""The configured alert templates, `[templates.NAME]`; and whether rules, templates, channels and sources agree."""

import re
from collections.abc import Iterable, Mapping, Sequence

from alertd.ingest.rules.config import Rule
from alertd.ingest.rules.values import glob
from alertd.ingest.source import SourceSpec
from alertd.ingest.wording import FORWARD, AlertTemplate
from alertd.settings.coerce import validated
from alertd.settings.errors import nearest, shown
from alertd.settings.findings import Findings
from alertd.settings.report import unknown_keys

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_SPEAKS_CAP = frozenset({"cap", "cap_feed"})


def read_templates(written: object, findings: Findings) -> dict[str, AlertTemplate]:
    """Those that are valid; what is wrong with the others is among the findings."""
    if not isinstance(written, dict):
        return {}  # said elsewhere
    templates: dict[str, AlertTemplate] = {}
    for name, table in written.items():
        key = ("templates", name)
        if not _NAME.fullmatch(name) or name == FORWARD:
            right = f"lower-case letters, digits, - and _, at most 32; {FORWARD!r} is taken"
            findings.refuse(key, "is not a name of a template", right)
        elif not isinstance(table, dict):
            findings.refuse(key, "is not a table", f"[templates.{name}] with its keys below it", shown(table))
        else:
            before = len(findings.problems)
            unknown_keys(table, AlertTemplate, key, findings)
            template = validated(AlertTemplate, table, key, findings)
            if template is not None and len(findings.problems) == before:
                templates[name] = template
    return templates


def go_together(
    rules: Sequence[Rule],
    templates: Mapping[str, AlertTemplate],
    sources: Mapping[str, SourceSpec],
    channels: Iterable[str],
    findings: Findings,
) -> tuple[Rule, ...]:
    """The rules that name nothing there is not. The others would be silent when they are needed: they are refused."""
    known, agreeing = sorted(channels), []
    for rule in rules:
        before = len(findings.problems)
        key = ("rules", rule.name)
        if rule.template != FORWARD and rule.template not in templates:
            right = nearest(rule.template, [*templates, FORWARD])
            findings.refuse((*key, "template"), "there is no such template", right, shown(rule.template))
        for channel in rule.channels or ():
            if channel not in known:
                findings.refuse((*key, "channels"), "there is no such channel", nearest(channel, known), shown(channel))
        _sources(rule, sources, findings)
        if len(findings.problems) == before:
            agreeing.append(rule)
    return tuple(agreeing)


def _sources(rule: Rule, sources: Mapping[str, SourceSpec], findings: Findings) -> None:
    key = ("rules", rule.name, "match", "source")
    heard = [spec for name, spec in sources.items() if glob(rule.match.source).match(name)]
    if not heard:
        findings.refuse(key, "matches no source", nearest(rule.match.source, sources), shown(rule.match.source))
    if rule.template == FORWARD and (others := [spec.name for spec in heard if spec.reader not in _SPEAKS_CAP]):
        wrong = f"{', '.join(others)} sends no CAP messages whose own words could be forwarded"
        findings.refuse(key, wrong, "name a template of your own, or sources with reader cap or cap_feed")
