"""A rule made ready: its conditions compiled once, when the configuration is read."""

from typing import NamedTuple

from alertd.domain.signal import Signal
from alertd.ingest.rules.config import Rule
from alertd.ingest.rules.match import Check, about, degree, unmet


class Ready(NamedTuple):
    """`source` and `about` say whether a signal is one this rule looks at; `degree` whether it is bad enough, and of
    the right place."""

    rule: Rule
    source: Check
    about: tuple[Check, ...]
    degree: tuple[Check, ...]

    def hears(self, source: str) -> bool:
        """Whether it looks at anything this source says."""
        match = self.rule.match
        return source == match.source or match.patterns["source"].match(source) is not None

    def not_about(self, signal: Signal) -> str | None:
        """Why the rule does not look at this signal, its source apart."""
        return _first_unmet(self.about, signal)

    def not_so(self, signal: Signal) -> str | None:
        """Why the signal is not bad enough, or of another place."""
        return _first_unmet(self.degree, signal)


def ready(rule: Rule) -> Ready:
    source, *others = about(rule)
    return Ready(rule, source, tuple(others), degree(rule))


def _first_unmet(asked: tuple[Check, ...], signal: Signal) -> str | None:
    for check in asked:
        if not check.holds(signal):
            return unmet(check, signal)
    return None
