"""Documents made to read files, reach hosts or cost dear are refused, or read in part, and cost little."""

import io
import resource
import socket
import time
import tracemalloc
from collections.abc import Callable

import pytest

from alertd.cap.check import checked
from alertd.cap.reader import Reading, read
from tests.unit.cap_samples import AREA, HEAD, SQUARE, WORDS, alert, info, sample

_LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
_PART = alert().partition(b"\n")[2]


def _doctype(inside: str, where: str = "&x;") -> bytes:
    body = alert(infos=info(rest=f"<headline>{where}</headline>")).partition(b"\n")[2]
    return f"<!DOCTYPE alert {inside}>".encode() + body


def _ring(points: int) -> bytes:
    return alert(infos=info(area=AREA.replace(SQUARE, "43.7,11.0 " * points)))


REFUSED: dict[str, Callable[[], bytes]] = {
    "billion laughs": lambda: _doctype(f'[<!ENTITY l0 "lol">{_LAUGHS}<!ENTITY x "&l9;">]'),
    "a file": lambda: _doctype('[<!ENTITY x SYSTEM "file:///etc/passwd">]'),
    "a host": lambda: _doctype('[<!ENTITY x SYSTEM "http://127.0.0.1:9/x">]'),
    "an external subset": lambda: _doctype('SYSTEM "http://127.0.0.1:9/x.dtd"', ""),
    "after a comment and an instruction": lambda: b"<!-- x --> <?p?>" + _doctype('[<!ENTITY x "y">]'),
    "after a declaration": lambda: b'<?xml version="1.0"?>\n' + _doctype("", ""),
    "in UTF-16": lambda: _doctype('[<!ENTITY x "y">]').decode().encode("utf-16"),
    "in UTF-16 without its mark": lambda: _doctype('[<!ENTITY x "y">]').decode().encode("utf-16-le"),
    "in UTF-32": lambda: alert().decode().replace("UTF-8", "utf-32").encode("utf-32"),
    "in EBCDIC": lambda: alert().decode().replace("UTF-8", "cp037").encode("cp037"),
    "in UTF-7": lambda: b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a+AD4-' + _PART,
    "in an encoding nobody knows": lambda: b'<?xml version="1.0" encoding="x-mine"?>' + _PART,
    "declared as what it is not": lambda: b'<?xml version="1.0" encoding="UTF-16"?>' + _PART,
    "a declaration without its end": lambda: b'<?xml version="1.0" ' + b" " * 1_000 + _PART,
    "an entity nobody declared": lambda: alert(infos=info(rest="<headline>&x;</headline>")),
    "NULs": lambda: alert().replace(b"Temporali", b"Tem\0porali"),
    "only NULs": lambda: b"\0" * 100_000,
    "nothing": lambda: b"",
    "blanks": lambda: b" " * 1_000_000,
    "no XML": lambda: b"%PDF-1.4 " + bytes(range(256)) * 10,
    "HTML": lambda: b"<html><body><p>502 Bad Gateway<br></body></html>",
    "half a document": lambda: alert()[:-40],
    "two roots": lambda: alert() + _PART,
    "deep": lambda: alert(end="<x>" * 5_000 + "</x>" * 5_000),
    "deeper than we go": lambda: alert(end="<x>" * 100 + "</x>" * 100),
    "a deep envelope": lambda: b"<e>" * 100 + _PART + b"</e>" * 100,
    "a million elements": lambda: alert(end="<x/>" * 700_000),
    "a hundred thousand attributes": lambda: b"<alert " + b"".join(b"a%d='' " % n for n in range(100_000)) + b"/>",
    "a hundred thousand namespaces": lambda: (
        b"<alert " + b"".join(b"xmlns:a%d='u' " % n for n in range(100_000)) + b"/>"
    ),
    "too much base64": lambda: alert(infos=info(rest=_file("A" * 4_000_000))),
    "a long name": lambda: b"<" + b"a" * 2_000_000 + b"/>",
    "a long comment that has no end": lambda: b"<!--" + b"- " * 1_000_000,
    "instructions without end": lambda: b"<?x?>" * 300_000,
}
READ: dict[str, Callable[[], bytes]] = {
    "a million points": lambda: _ring(10**6 // 4),
    "commas": lambda: alert(infos=info(area=AREA.replace(SQUARE, "," * 2_900_000))),
    "blanks for a polygon": lambda: alert(infos=info(area=AREA.replace(SQUARE, "1 " * 1_400_000))),
    "numbers without end": lambda: alert(infos=info(area=AREA.replace(SQUARE, "1" * 2_000_000 + ",1"))),
    "as many polygons as fit": lambda: alert(
        infos=info(
            area="<area><areaDesc>x</areaDesc>"
            + "".join(f"<polygon>{SQUARE} </polygon>".replace("43.70", f"43.{n:05}") for n in range(9_000))
            + "</area>"
        )
    ),
    "a large file": lambda: alert(infos=info(rest=_file("QUJD" * 600_000))),
    "XInclude": lambda: alert(
        end="<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' href='file:///etc/passwd' parse='text'/>"
    ),
    "a schema elsewhere": lambda: alert().replace(
        b"<alert ",
        b"<alert xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='urn:x http://127.0.0.1:9/x.xsd' ",
    ),
    "a style sheet elsewhere": lambda: b"<?xml-stylesheet href='http://127.0.0.1:9/x.xsl' type='text/xsl'?>" + _PART,
    "thousands of times the same fault": lambda: alert(infos=info(rest="<z/>" * 9_000)),
    "thousands of references": lambda: alert(HEAD + "<references>" + "x " * 200_000 + "</references>"),
    "long digits": lambda: alert(
        infos=info(
            rest="<resource><resourceDesc>a</resourceDesc><mimeType>a/b</mimeType><size>"
            + "9" * 500_000
            + "</size></resource>"
        )
    ),
    "a long height": lambda: alert(
        infos=info(area=AREA.replace("</area>", "<altitude>" + "9" * 500_000 + "</altitude></area>"))
    ),
    "a long word": lambda: alert(infos=info(WORDS.replace("Severe", "S" * 2_000_000))),
    "very many infos": lambda: alert(infos=info(area="") * 900),
}


def _file(base64: str) -> str:
    return f"<resource><resourceDesc>a</resourceDesc><mimeType>a/b</mimeType><derefUri>{base64}</derefUri></resource>"


@pytest.fixture(autouse=True)
def _no_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own ways to files and hosts are shut; libxml2's would be seen by what it reads."""

    def shut(*_: object, **__: object) -> None:
        raise AssertionError("a document must reach nothing")

    monkeypatch.setattr(socket, "socket", shut)
    monkeypatch.setattr(io, "open", shut)


def _cost(data: bytes) -> tuple[Reading, float, float]:
    """The reading, its seconds, and the MiB Python held at most (libxml2's own are bounded by the test below)."""
    began = time.perf_counter()
    reading = read(data)
    seconds = time.perf_counter() - began
    del reading
    tracemalloc.start()
    try:
        again = read(data)
        return again, seconds, tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_a_reason_and_cheaply(name: str) -> None:
    reading, seconds, mebibytes = _cost(REFUSED[name]())
    assert reading.alerts == ()
    assert any(violation.fatal for violation in reading.every_violation())
    assert seconds < 2.0  # a generous multiple of the 0.1 s that are promised on a quiet machine
    assert mebibytes < 10


@pytest.mark.parametrize("name", READ)
def test_read_in_part_and_cheaply(name: str) -> None:
    reading, seconds, mebibytes = _cost(READ[name]())
    assert len(reading.found) == 1
    assert b"root:" not in repr(reading).encode()
    assert seconds < 2.0
    assert mebibytes < 16  # what a large but honest file holds as text is read
    assert all(len(violation.message) < 500 for violation in reading.every_violation())
    assert len(reading.every_violation()) <= 210


def test_rules_are_cheap_too() -> None:
    """The worst outline there is for a sweep: all edges side by side over the same longitudes."""
    comb = [f"{43 + n / 10_000:.4f},{11 + n % 2}" for n in range(9_000)]
    data = alert(infos=info(area=AREA.replace(SQUARE, " ".join([*comb, comb[0]]))))
    began = time.perf_counter()
    (found,) = read(data).found
    assert found.alert is not None
    checked(found)
    assert time.perf_counter() - began < 3.0


@pytest.mark.parametrize("name", ["hostile/xee.cap", "hostile/xee.atom"])
def test_the_hostile_samples(name: str, samples: dict[str, bytes]) -> None:
    reading, seconds, mebibytes = _cost(samples[name])
    assert reading.alerts == ()
    assert [violation.where for violation in reading.violations] == ["line 3"]
    assert seconds < 1.0
    assert mebibytes < 1


@pytest.fixture(scope="module")
def samples() -> dict[str, bytes]:
    """Read before the ways to files are shut."""
    return {name: sample(name) for name in ("hostile/xee.cap", "hostile/xee.atom")}


def test_the_tree_itself_is_bounded() -> None:
    """What libxml2 holds is not traced: the whole process must not grow by what these would cost unbounded."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("a million elements", "a hundred thousand attributes", "a hundred thousand namespaces"):
        read(REFUSED[name]())
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024
