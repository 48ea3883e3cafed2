"""Where the words of another system's message come from, in the document we publish under our own identity.

CAP 1.2 has a place for who speaks at the origin (`source`, 3.2.1) and one for what a system adds (`parameter`, 3.2.2).
`references` would be wrong: they name messages that this one follows, and a reader would look for them.
"""

from dataclasses import replace
from typing import Final

from alertd.domain.alert import Alert, Info, Pair, Reference

ORIGIN: Final = "alertd:origin"
"""The valueName of a parameter that holds `sender,identifier,sent` of the message an info was taken from. A message
that passed through several houses has one for each, the oldest first; so has a Cancel that speaks with its original's
words."""


def traced(alert: Alert, name: Reference) -> Alert:
    """The alert with its origin in it: `source` is what the other system said, or else its sender."""
    infos = tuple(info_from(name, info) for info in alert.info)
    return replace(alert, source=alert.source or name.sender, info=infos)


def info_from(name: Reference, info: Info) -> Info:
    """The info with the message it was taken from."""
    origin = Pair(ORIGIN, str(name))
    return info if origin in info.parameter else replace(info, parameter=(*info.parameter, origin))
