"""`[[rules]]` as an operator writes it: what is taken, and what is said of a faulty one."""

import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from alertd.ingest.rules import Action, Rule, Says
from alertd.settings.findings import Findings
from alertd.settings.rules import read_rules
from alertd.settings.source import Source

EXAMPLE = """
[[rules]]
name = "pesa-attenzione"
template = "piena"
zones = ["048028"]
channels = ["canale", "push"]
  [rules.match]
  source = "pesa"
  event = "livello*"
  [rules.reading]
  above = 2.5
  clear = 2.2
  for = "10m"
  of = ["pesa-ponte", "pesa-monte", "orme"]
  at_least = 2
  stale_after = "30m"
  range = [0, 12]
  stuck_after = "6h"
  max_step = 0.8

[[rules]]
name = "dpc"
template = "allerta-meteo"
action = "send"
unattended = true
hourly_cap = 3
zones_by_code = {"Tosc-A1" = ["048028"]}
match = {source = "dpc", min_colour = "gialla", min_severity = "moderate"}
"""


def read(text: str) -> tuple[tuple[Rule, ...], Findings]:
    findings = Findings(Source(Path("/etc/alertd.toml"), {}))
    return read_rules(tomllib.loads(text).get("rules", []), findings), findings


def fault(lines: str) -> str:
    """The one problem of a rule with these lines, as the operator sees it."""
    start = '[[rules]]\nname = "r"\ntemplate = "t"\n'
    rules, findings = read(start + lines)
    assert not rules
    assert len(findings.problems) == 1, findings.problems
    return str(findings.problems[0])


def test_a_whole_example() -> None:
    (gauge, dpc), findings = read(EXAMPLE)
    assert not findings.problems
    assert (gauge.action, gauge.is_reading, gauge.channels) == (Action.DRAFT, True, ("canale", "push"))
    assert gauge.reading.lasting == timedelta(minutes=10)
    assert gauge.reading.confirm == 2
    assert gauge.all_zones == {"048028"}
    assert (dpc.action, dpc.hourly_cap, dpc.is_reading) == (Action.SEND, 3, False)
    assert dpc.zones_of(("Umbr-A", "Tosc-A1")) == ("048028",)
    assert dpc.zones_of(("Umbr-A",)) == ()
    assert Says.EXPIRES in dpc.change_on
    assert Says.ONSET not in dpc.change_on


def test_equal_rules_are_equal_after_use() -> None:
    one, other = (read(EXAMPLE)[0][0] for _ in range(2))
    assert one.reading.end == 2.2
    assert one.match.patterns
    assert one == other


def test_no_rules_at_all() -> None:
    assert read("")[0] == ()


@pytest.mark.parametrize(
    ("lines", "key", "wrong"),
    [
        ('zones = ["a"]', "rules.r.match", "is missing"),
        ('match = {}\nzones = ["a"]', "rules.r.match.source", "is missing"),
        ('match = {source = "s"}', "rules.r", "needs either `zones` or `zones_by_code`"),
        ('match = {source = "s"}\nzones = ["a"]\nzones_by_code = {b = ["c"]}', "rules.r", "needs either"),
        ('match = {source = "s"}\nzones_by_code = {b = []}', "rules.r", "at least one zone for each code"),
        ('match = {source = "s", evnt = "x"}\nzones = ["a"]', "rules.r.match.evnt", "did you mean `event`?"),
        (
            'match = {source = "s"}\nzones = ["a"]\nreading = {abov = 1}',
            "rules.r.reading.abov",
            "did you mean `above`?",
        ),
        ('match = {source = "s"}\nzones = ["a"]\nreading = {}', "rules.r", "[rules.reading] is empty"),
        ('match = {source = "s"}\nzones = ["a"]\naction = "page"', "rules.r.action", '"draft" or "send"'),
        (
            'match = {source = "s"}\nzones = ["a"]\naction = "send"',
            "rules.r",
            "needs `unattended = true` and an `hourly_cap`",
        ),
        ('match = {source = "s"}\nzones = ["a"]\naction = "send"\nunattended = true', "rules.r", "hourly_cap = 3"),
        ('match = {source = "s"}\nzones = ["a"]\naction = "send"\nhourly_cap = 3', "rules.r", "`unattended = true`"),
        ('match = {source = "s"}\nzones = ["a"]\nunattended = false', "rules.r.unattended", "should be True"),
        ('match = {source = "s"}\nzones = ["a"]\nunattended = true', "rules.r", 'belong to action = "send"'),
        ('match = {source = "s"}\nzones = ["a"]\nhourly_cap = 0', "rules.r.hourly_cap", "from 1 to 1000"),
        ('match = {source = "s"}\nzones = ["a"]\nchannels = []', "rules.r.channels", "at least 1 item"),
        ('match = {source = "s", min_severity = "Bad"}\nzones = ["a"]', "rules.r.match.min_severity", "one of Minor"),
        ('match = {source = "s", min_colour = "blu"}\nzones = ["a"]', "rules.r.match.min_colour", "one of verde"),
        ('match = {source = "s", min_value = nan}\nzones = ["a"]', "rules.r.match.min_value", "finite number"),
        ('match = {source = "s", min_value = 2, max_value = 1}\nzones = ["a"]', "rules.r.match", "nothing could match"),
        ('match = {source = ""}\nzones = ["a"]', "rules.r.match.source", "must be one line of text"),
    ],
)
def test_a_faulty_rule_is_refused_with_its_key(lines: str, key: str, wrong: str) -> None:
    text = fault(lines)
    assert text.split()[0] == key
    assert wrong in text
    assert "/etc/alertd.toml" in text


@pytest.mark.parametrize(
    ("reading", "wrong"),
    [
        ("above = 1\nbelow = 2", "write two rules"),
        ("clear = 1", "`clear` without `above` or `below`"),
        ("above = 1\nclear = 2", "must not lie above `above`"),
        ("below = 1\nclear = 0", "must not lie below `below`"),
        ("rise = 1", "`rise` and `within` go together"),
        ('rise = 1\nwithin = "1h"\nclear_rise = 2', "at least as large"),
        ('within = "1h"', "`rise` and `within` go together"),
        ("rise = 0", "greater than 0"),
        ("above = 1\nat_least = 2", "list that many sensors in `of`"),
        ('above = 1\nof = ["a", "a"]', "must name each sensor once"),
        ('above = 1\nof = ["a", "b"]\nat_least = 3', "more than `of` names"),
        ('above = 1\nfor = "1h"\nstuck_after = "1h"', "`stuck_after` must be longer than `for`"),
        ('for = "1h"\nstale_after = "2h"', "none of them is here"),
        ("above = 1\nrange = [2, 1]", "the lowest first"),
        ("above = 3\nrange = [0, 2]", "no believable value reaches them"),
        ("above = 3\nclear = -1\nrange = [0, 4]", "no believable value reaches them"),
        ('above = 1\nfor = "soon"', "write it as 30s, 90m, 24h or 2d"),
        ('above = 1\nfor = "0s"', "at least a second"),
        ('above = 1\nstale_after = "32d"', "at most 31 days"),
        ("above = inf", "finite number"),
    ],
)
def test_readings_that_make_no_sense_are_refused(reading: str, wrong: str) -> None:
    text = fault(f'zones = ["a"]\nmatch = {{source = "s"}}\n[rules.reading]\n{reading}')
    assert text.split()[0].startswith("rules.r.reading")
    assert wrong in text


@pytest.mark.parametrize(
    ("written", "key", "wrong"),
    [
        ({"name": "r"}, "rules", "is not a list of rules"),
        (["r"], "rules.1", "is not a table"),
        (
            [{"name": 3, "template": "t", "zones": ["a"], "match": {"source": "s"}}],
            "rules.1.name",
            "should be a valid string",
        ),
        (
            [{"name": "R r", "template": "t", "zones": ["a"], "match": {"source": "s"}}],
            "rules.R r.name",
            "is not a name",
        ),
    ],
)
def test_what_is_no_rule_is_refused(written: Any, key: str, wrong: str) -> None:
    findings = Findings(Source(None, {}))
    assert read_rules(written, findings) == ()
    (problem,) = findings.problems
    assert problem.key == key
    assert wrong in problem.wrong


def test_two_rules_of_one_name_are_refused() -> None:
    rules, findings = read(EXAMPLE.replace('"dpc"\n', '"pesa-attenzione"\n', 1))
    assert len(rules) == 1
    assert [(problem.key, problem.given) for problem in findings.problems] == [("rules.2.name", '"pesa-attenzione"')]


def test_every_fault_is_named_at_once() -> None:
    _, findings = read('[[rules]]\nname = "a"\n[[rules]]\nname = "b"\nmatch = {sorce = "x"}\ntemplate = "t"\n')
    assert {problem.key for problem in findings.problems} == {
        "rules.a.match",
        "rules.a.template",
        "rules.b.match.sorce",
        "rules.b.match.source",
    }
