"""The shared samples of CAP, for the tests that read them, and a small document of our own for the others."""

import re
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[3] / "shared"
SAMPLES = SHARED / "samples" / "cap"
SCHEMA = SHARED / "standards" / "CAP-v1.2.xsd"
CAP12 = "urn:oasis:names:tc:emergency:cap:1.2"


def sample(name: str) -> bytes:
    """A shared sample by its path under samples/cap."""
    file = SAMPLES / name
    if not file.exists():
        pytest.skip(f"the shared samples are not at {SAMPLES}")
    return file.read_bytes()


HEAD = (
    "<identifier>i-1</identifier><sender>pc@comune.example.it</sender><sent>2026-11-22T06:00:00+01:00</sent>"
    "<status>Exercise</status><msgType>Alert</msgType><scope>Public</scope>"
)
WORDS = (
    "<category>Met</category><event>Temporali</event>"
    "<urgency>Expected</urgency><severity>Severe</severity><certainty>Likely</certainty>"
)
SQUARE = "43.70,11.00 43.70,11.10 43.80,11.10 43.80,11.00 43.70,11.00"
AREA = f"<area><areaDesc>Montelupo</areaDesc><polygon>{SQUARE}</polygon></area>"


def info(words: str = WORDS, rest: str = "", area: str = AREA) -> str:
    return f"<info><language>it-IT</language>{words}{rest}{area}</info>"


# Between elements, not inside a text that begins or ends with markup.
_BETWEEN = re.compile(r"(?<!b)><(?=[a-z/])(?!b>|/headline)")


def alert(head: str = HEAD, infos: str | None = None, namespace: str = CAP12, end: str = "") -> bytes:
    """A document with an element a line, so that lines can be told."""
    body = f'<alert xmlns="{namespace}">{head}{info() if infos is None else infos}{end}</alert>'
    return ('<?xml version="1.0" encoding="UTF-8"?>\n' + _BETWEEN.sub(">\n<", body)).encode()
