"""Documents made to read files, reach hosts or cost dear are refused, or read in part, and cost little."""

import io
import resource
import socket
import time
import tracemalloc

import pytest

from alertd.cap.check import checked_all
from alertd.cap.reader import Reading, read
from tests.unit.cap_hostile import READ, REFUSED, WORST, comb, meander, polygons
from tests.unit.cap_samples import alert, info, sample


@pytest.fixture(autouse=True)
def _no_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own ways to files and hosts are shut; libxml2's would be seen by what it reads."""

    def shut(*_: object, **__: object) -> None:
        raise AssertionError("a document must reach nothing")

    monkeypatch.setattr(socket, "socket", shut)
    monkeypatch.setattr(io, "open", shut)


def _cost(data: bytes) -> tuple[Reading, float, float]:
    """The reading, the CPU seconds of reading and checking it, and the MiB Python held at most (libxml2's own are bounded
    by the test below; what a quiet machine needs is shown by `python -m tests.bench --only cap_hostile`)."""
    began = time.process_time()
    reading = read(data)
    list(checked_all(reading))
    seconds = time.process_time() - began
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
    assert mebibytes < 4


@pytest.mark.parametrize("name", [*READ, *WORST])
def test_read_in_part_and_cheaply(name: str) -> None:
    reading, seconds, mebibytes = _cost({**READ, **WORST}[name]())
    assert reading.found
    assert b"root:" not in repr(reading).encode()
    assert seconds < 2.0
    assert mebibytes < 8  # with the tree of it, libxml2's own, less than 10 MB
    for found in reading.found:
        assert all(len(violation.message) < 500 for violation in found.violations)
        assert len(found.violations) <= 210


@pytest.mark.parametrize("name", ["combs", "alerts with combs"])
def test_outlines_that_take_too_long_are_said(name: str) -> None:
    said = [violation.message for checked in checked_all(read(WORST[name]())) for violation in checked]
    assert any("too large to be checked" in message for message in said)


def test_an_outline_that_translations_share_is_looked_at_once() -> None:
    ring = f"<area><areaDesc>x</areaDesc><polygon>{meander(700)}</polygon></area>"
    (violations,) = checked_all(read(alert(infos=info(area=ring) * 5)))
    assert violations == ()
    others = "".join(info(area=ring.replace("39,13", f"39.{n},13")) for n in range(5))
    (violations,) = checked_all(read(alert(infos=others)))
    assert len(violations) == 4


def test_thousands_of_broken_rules_are_not_all_said() -> None:
    (violations,) = checked_all(read(WORST["empty codes"]()))
    assert [violation.message for violation in violations[:2]] == ["code is empty"] * 2
    assert violations[-1].message == "more than 200 rules are broken; the rest is not looked for"
    assert len(violations) == 201
    assert len({violation.where for violation in violations}) == 2  # a path without a number is the first of them


def test_what_makes_every_character_wide_makes_less_of_a_text_read() -> None:
    long = "x" * 1_800_000
    plain, wide, named, beside = (
        alert(infos=info(rest=f"<note>{text}</note>"))
        for text in (long + "&#13;", long + "😀", long + "&#x1F600;", f"{long}</note><note>😀")
    )
    assert read(plain).alerts
    assert read(beside).alerts
    for document in (wide, named):
        (violation,) = read(document).violations
        assert "beyond U+FFFF" in violation.message


def test_points_are_counted_over_all_alerts_of_a_document() -> None:
    several = b"<e>" + b"".join(polygons([comb(9_000, n)]).partition(b"\n")[2] for n in range(4)) + b"</e>"
    assert [len(alert.info[0].area[0].polygons) for alert in read(several).alerts] == [1, 1, 0, 0]


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
