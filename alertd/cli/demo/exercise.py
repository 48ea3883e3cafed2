"""What the demo says, to whom: an Exercise in two languages to the whole territory."""

from datetime import datetime, timedelta
from typing import Any

_IN_COMMON = {
    "category": ["Met"],
    "response_type": ["Prepare"],
    "urgency": "Expected",
    "severity": "Severe",
    "certainty": "Likely",
    "area": [{"zone": "*"}],
}
_WORDS = (
    {
        "language": "it-IT",
        "event": "Temporali forti",
        "headline": "Allerta arancione per temporali forti",
        "description": "Dalle 18 sono attesi temporali forti con raffiche di vento e possibili allagamenti.",
        "instruction": "Restate in casa, non scendete negli scantinati, tenetevi lontani da fiumi e sottopassi.",
    },
    {
        "language": "en-GB",
        "event": "Severe thunderstorms",
        "headline": "Orange warning for severe thunderstorms",
        "description": "Severe thunderstorms with gusts of wind and possible flooding are expected from 6 p.m.",
        "instruction": "Stay indoors, do not go into basements, keep away from rivers and underpasses.",
    },
)


def exercise(now: datetime) -> dict[str, Any]:
    """The JSON of `POST /v1/alerts`."""
    expires = (now + timedelta(hours=6)).isoformat(timespec="seconds")
    infos = [{**words, **_IN_COMMON, "expires": expires} for words in _WORDS]
    return {"purpose": "emergency", "status": "Exercise", "msg_type": "Alert", "scope": "Public", "info": infos}
