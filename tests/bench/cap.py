"""Reading CAP: alerts a second on one core, beside bare lxml parse + XSD validation over the same files.

Two works, told apart because they are not alike: the shared samples that are typical (CAP 1.2, valid against the schema,
below 32 kB, so that the schema has everything to look at), and the two with outlines of thousands of points, where the
reader looks at each point and the schema at none.
"""

import time
from collections.abc import Callable
from pathlib import Path

from lxml import etree

from alertd.cap.reader import read
from tests.bench.measure import Bench, Contestant, Figure, Group, Outcome, Section, Skipped, Target, rounds

_SHARED = Path(__file__).parents[3] / "shared"
_SAMPLES = _SHARED / "samples" / "cap"
_SCHEMA = _SHARED / "standards" / "CAP-v1.2.xsd"
_TYPICAL = 32_000
_OURS, _PEER = "alertd", "lxml + XSD"


async def measure(bench: Bench) -> list[Section]:
    seconds = bench.pick(3_000, 500) / 1_000
    sections = []
    for key, title, wanted, targets in (
        ("cap", "Reading typical CAP alerts", _typical, (Target(_OURS, _PEER, least=0.5),)),
        ("cap-outlines", "Reading CAP alerts with outlines of thousands of points", _outlined, ()),
    ):
        documents = wanted() if _SAMPLES.exists() and _SCHEMA.exists() else []
        sections.append(await rounds(bench, _group(key, title, documents, seconds, targets)))
    return sections


def _group(key: str, title: str, documents: list[bytes], seconds: float, targets: tuple[Target, ...]) -> Group:
    return Group(
        key=key,
        title=title,
        work=f"{len(documents)} real documents of {sum(map(len, documents)):,} octets, again and again, on one core",
        figure=Figure.RATE,
        unit="alerts/s",
        peer=_PEER,
        contestants=(
            Contestant(_OURS, "bytes → Alert and violations", _player(documents, seconds, lambda: read)),
            Contestant(
                _PEER, "etree.fromstring, XMLSchema.validate", _player(documents, seconds, _validator), peer=True
            ),
        ),
        targets=targets,
        silent=(
            "3,000 alerts a second are asked for: the rate itself is the figure to look at.",
            "Polygons are checked whole, but their points are made when somebody asks for them, and here nobody does.",
        ),
    )


def _player(documents: list[bytes], seconds: float, make: Callable[[], Callable[[bytes], object]]):
    async def play() -> Outcome:
        if not documents:
            raise Skipped(f"the shared samples and the schema are not at {_SHARED}")
        one = make()
        for document in documents:  # warm
            one(document)
        return _timed(one, documents, seconds)

    return play


def _timed(one: Callable[[bytes], object], documents: list[bytes], seconds: float) -> Outcome:
    """By the time on the core, which is all either needs: whoever else is busy takes nothing from it."""
    done, began = 0, time.process_time()
    while time.process_time() - began < seconds:
        for document in documents:
            one(document)
        done += len(documents)
    used = time.process_time() - began
    return Outcome(done, used, used)


def _validator() -> Callable[[bytes], object]:
    schema = etree.XMLSchema(etree.parse(_SCHEMA))
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    return lambda document: schema.validate(etree.fromstring(document, parser))


def _valid() -> list[bytes]:
    schema = etree.XMLSchema(etree.parse(_SCHEMA))
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    files = [file.read_bytes() for file in sorted(_SAMPLES.glob("*/*")) if file.parent.name != "hostile"]
    return [document for document in files if schema.validate(etree.fromstring(document, parser))]


def _typical() -> list[bytes]:
    return [document for document in _valid() if len(document) < _TYPICAL]


def _outlined() -> list[bytes]:
    return [file.read_bytes() for file in sorted(_SAMPLES.glob("kde/*")) if file.stat().st_size > _TYPICAL]
