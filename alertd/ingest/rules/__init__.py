"""Rules: from what sources say to drafts and alerts. Pure; whoever runs them keeps their memories and acts on what
they find."""

from alertd.ingest.rules.config import Action, Match, Rule, Says
from alertd.ingest.rules.evaluate import evaluate
from alertd.ingest.rules.explain import Condition, Explanation, explain
from alertd.ingest.rules.finding import Change, Clear, Doubted, Fault, Finding, Fire, Moment, Nothing, Stale, Tick
from alertd.ingest.rules.memory import EMPTY, Memory, forget, from_json, matter_of, renamed, resumed, to_json
from alertd.ingest.rules.reading import Reading
from alertd.ingest.rules.ready import Ready, ready
from alertd.ingest.rules.words import note

__all__ = [
    "EMPTY",
    "Action",
    "Change",
    "Clear",
    "Condition",
    "Doubted",
    "Explanation",
    "Fault",
    "Finding",
    "Fire",
    "Match",
    "Memory",
    "Moment",
    "Nothing",
    "Reading",
    "Ready",
    "Rule",
    "Says",
    "Stale",
    "Tick",
    "evaluate",
    "explain",
    "forget",
    "from_json",
    "matter_of",
    "note",
    "ready",
    "renamed",
    "resumed",
    "to_json",
]
