"""The configured rules, `[[rules]]`: each judged whole, and no two of one name."""

from typing import Any

from alertd.ingest.rules.config import Rule
from alertd.settings.coerce import validated
from alertd.settings.errors import shown
from alertd.settings.findings import Findings
from alertd.settings.report import unknown_keys

_KEY = "rules"


def read_rules(written: object, findings: Findings) -> tuple[Rule, ...]:
    """Those that are valid, in order; what is wrong with the others is among the findings.

    A fault is named `rules.NAME.key`, or `rules.2.key` where the second rule has no usable name.
    """
    if not isinstance(written, list):
        findings.refuse((_KEY,), "is not a list of rules", "[[rules]] above the keys of each", shown(written))
        return ()
    rules: dict[str, Rule] = {}
    for number, table in enumerate(written, 1):
        rule = _rule(number, table, findings)
        if rule is not None and rule.name in rules:
            wrong = "is the name of an earlier rule too"
            findings.refuse((_KEY, str(number), "name"), wrong, "a name of its own", shown(rule.name))
        elif rule is not None:
            rules[rule.name] = rule
    return tuple(rules.values())


def _rule(number: int, table: Any, findings: Findings) -> Rule | None:
    if not isinstance(table, dict):
        findings.refuse((_KEY, str(number)), "is not a table", "[[rules]] with its keys below it", shown(table))
        return None
    name = table.get("name")
    key = (_KEY, name if isinstance(name, str) and name.isprintable() and 0 < len(name) <= 64 else str(number))  # noqa: PLR2004
    before = len(findings.problems)
    unknown_keys(table, Rule, key, findings)
    rule = validated(Rule, table, key, findings)
    return rule if len(findings.problems) == before else None
