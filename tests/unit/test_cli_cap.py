"""`alertd cap check`: its lines, its exit codes, and that it never shows a traceback."""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from alertd.cli import main
from tests.unit.cap_samples import HEAD, alert, info

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["alertd", "cap", "check", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return int(left.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def good(tmp_path: Path) -> Path:
    file = tmp_path / "good.xml"
    file.write_bytes(alert())
    return file


def test_a_good_document(run: Run, good: Path) -> None:
    assert run(str(good)) == (0, f"{good}: CAP 1.2, 1 alert, no violation\n", "")


def test_violations_have_their_lines_in_order(run: Run, good: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.xml"
    bad.write_bytes(
        alert(
            HEAD.replace(">Alert<", ">Update<"), info(area="<area><areaDesc>x</areaDesc><polygon>1,1</polygon></area>")
        )
    )
    code, out, err = run(str(bad), str(good))
    assert code == 1
    assert out.splitlines() == [
        f"{bad}: line 2: violation: msgType Update needs references to what it is about",
        f"{bad}: line 16: violation: area is empty: no polygon, circle or geocode says where it is",
        f"{bad}: line 18: error: a polygon needs at least four points, the last repeating the first; it is not read",
        f"{good}: CAP 1.2, 1 alert, no violation",
    ]
    assert err == "alertd: 1 of 2 documents break CAP.\n"


@pytest.mark.parametrize("data", [b"", b"<a/>", b"<!DOCTYPE a><a/>", b"\0", alert(HEAD.replace("Exercise", "x"))])
def test_what_cannot_be_read(run: Run, tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "x.xml"
    file.write_bytes(data)
    code, out, err = run(str(file))
    assert (code, err) == (1, "alertd: It breaks CAP.\n")
    assert out.startswith(f"{file}: line ")
    assert ": error: " in out


def test_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(alert())))
    assert run("-")[:2] == (0, "-: CAP 1.2, 1 alert, no violation\n")


def test_a_document_cannot_write_to_the_terminal(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "x.xml"
    file.write_bytes(alert(HEAD.replace("Exercise", "&#x85;&#x9b;31m\nforged: ok")))
    _, out, _ = run(str(file))
    assert len(out.splitlines()) == 1
    assert "\x9b" not in out


@pytest.mark.parametrize(
    ("arguments", "says"), [((), "FILE"), (("/nowhere.xml",), "/nowhere.xml cannot be read"), (("--x",), "--x")]
)
def test_wrong_usage(run: Run, arguments: tuple[str, ...], says: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert says in err


def test_one_wrong_name_says_nothing_of_the_others(run: Run, good: Path) -> None:
    code, out, _ = run(str(good), "/nowhere.xml")
    assert (code, out) == (2, "")
