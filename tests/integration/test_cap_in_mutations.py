"""Damaged CAP documents posted to a daemon in a process of its own: each is answered as documented, never with a 5xx.

Hypothesis makes them, so that what fails is shown as small as it can be. 200 by default, 10,000 with --campaign.
"""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE

import httpx
import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.integration.api_stand import ROOT, citizen, read_mark
from tests.support.cap_post import document, info, name
from tests.unit.cap_samples import SAMPLES

QUICK, PART = 200, 2_500
ANSWERS = {202, 404, 409, 413, 422}
_LONGEST = 30_000
_MARKUP = (
    *(b"<", b">", b"&", b"]]>", b"<![CDATA[", b"<!--", b"-->", b"<?x?>", b"\0", b"\xff", b"\xf0\x9f\x92", b"&#0;", b"&lt;"),
    *(b"<!DOCTYPE x>", b" xmlns=''", b"<info>", b"</info>", b"<area/>", b"</alert>", b"<polygon>1,1 1,2 2,2 1,1</polygon>"),
    *(b"<references>" + name("R-3").encode() + b"</references>", b"<code>alertd:purpose=event</code>"),
)  # fmt: skip
_WORDS = (
    *(b"Actual", b"Exercise", b"Update", b"Cancel", b"Ack", b"Private", b"Public", b"T24:00:00", b"-00:00", b"nan", b"1e999"),
    *(b"9999-12-31T23:59:59-14:00", b"0000", b"-", b",", b" ", b"9" * 400, b"R-1", b"R-2", name("R-1").encode()),
    *(b"048028", b"048010", b"it-IT", b"Severe", b"", "È già piena".encode()),
)  # fmt: skip
_NAMES = tuple(f"N-{n}".encode() for n in range(300))
"""Few enough that messages meet others that name them, before and after."""


def _own() -> list[bytes]:
    """What another system posts of alerts that are known, and of some that are not."""
    return [
        document("N-1"),
        document("N-2", status="Exercise", infos=info() * 2),
        *(
            document("N-3", kind, minute=minute, references=[name(earlier)])
            for kind in ("Update", "Cancel", "Ack")
            for minute, earlier in enumerate(("R-1", "N-1", "N-4"))
        ),
    ]


def _samples() -> list[bytes]:
    """The shared ones that are not long, where they are."""
    found = [file.read_bytes() for file in sorted(SAMPLES.glob("*/*")) if file.stat().st_size < _LONGEST]
    return found or _own()


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A document in which up to three things are not as they were; most are well-formed still."""
    data = draw(st.one_of(st.sampled_from(_own()), st.sampled_from(_own()), st.sampled_from(_samples())))
    data = _renamed(draw, data)
    for _ in range(draw(st.integers(0, 3))):
        data = draw(st.sampled_from((_said, _said, _renamed, _swapped, _cut, _put, _byte)))(draw, data)
    return data


def _renamed(draw: st.DrawFn, data: bytes) -> bytes:
    """What it is called, or what it refers to."""
    return data.replace(draw(st.sampled_from((b"N-1", b"N-2", b"N-3", b"N-4"))), draw(st.sampled_from(_NAMES)))


def _said(draw: st.DrawFn, data: bytes) -> bytes:
    """The text of one element is another."""
    parts = data.split(b">")
    n = draw(st.integers(0, len(parts) - 1))
    _, mark, rest = parts[n].partition(b"<")
    parts[n] = draw(st.sampled_from(_WORDS)) + mark + rest
    return b">".join(parts)


def _swapped(draw: st.DrawFn, data: bytes) -> bytes:
    parts = data.replace(b"><", b">\n<").split(b"\n")
    a, b = (draw(st.integers(0, len(parts) - 1)) for _ in range(2))
    parts[a], parts[b] = parts[b], parts[a]
    return b"\n".join(parts)


def _cut(draw: st.DrawFn, data: bytes) -> bytes:
    start = draw(st.integers(0, len(data)))
    return data[:start] + data[start + draw(st.integers(1, 80)) :]


def _put(draw: st.DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, len(data)))
    return data[:at] + draw(st.one_of(st.sampled_from(_MARKUP), st.binary(min_size=1, max_size=8))) + data[at:]


def _byte(draw: st.DrawFn, data: bytes) -> bytes:
    at = draw(st.integers(0, max(0, len(data) - 1)))
    return data[:at] + bytes([draw(st.integers(0, 255))]) + data[at + 1 :]


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Another system, with a token that may do all; the daemon knows of one of its alerts."""
    folder: Path = tmp_path_factory.mktemp("mutations")
    command = [sys.executable, "-m", "tests.integration.api_stand", str(folder)]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, stderr=log, text=True) as process,
    ):
        try:
            told = next(filter(None, map(read_mark, process.stdout)), None)
            assert told is not None, (folder / "log").read_text()
            with httpx.Client(base_url=told[0], headers=told[1], timeout=60, trust_env=False) as client:
                assert client.post("/v1/subscribers", json=citizen(1)).status_code == 201
                assert _post(client, document("R-1")) == 202
                yield client
        finally:
            process.communicate(timeout=60)
    assert b"a request failed on a bug of ours" not in (folder / "log").read_bytes()


def _post(client: httpx.Client, data: bytes) -> int:
    answer = client.post("/v1/alerts", content=data, headers={"Content-Type": "application/cap+xml"})
    code = answer.status_code
    assert code in ANSWERS, answer.text
    assert answer.headers["content-type"] == ("application/json" if code == 202 else "application/problem+json")
    told = json.loads(answer.content)
    assert code == 202 or (told["status"] == code and ("errors" in told) == (code == 422))
    return code


def _campaign(client: httpx.Client, examples: int, seed: int) -> Counter[int]:
    seen: Counter[int] = Counter()

    @hypothesis.seed(seed)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(damaged())
    def posted(data: bytes) -> None:
        seen[_post(client, data)] += 1

    posted()
    return seen


def test_two_hundred_damaged_documents(peer: httpx.Client) -> None:
    seen = _campaign(peer, QUICK, 0)
    assert seen[422]
    assert seen[202] + seen[404] + seen[409], "nothing came past the reader"


@pytest.mark.campaign
@pytest.mark.parametrize("part", range(1, 5))
def test_ten_thousand_damaged_documents(peer: httpx.Client, part: int) -> None:
    seen = _campaign(peer, PART, part)
    assert sum(seen.values()) >= PART
    assert {202, 404, 409, 422} <= seen.keys()
    sys.stdout.write(f"part {part}: {dict(seen)}\n")
