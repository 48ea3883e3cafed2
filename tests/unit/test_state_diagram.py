"""The diagram in ARCHITECTURE.md is drawn from the table, and a stale one is found."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from alertd.domain.delivery import TRANSITIONS, State

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / ".ci" / "state_diagram.py"
MARKED = "# A\n\nbefore\n\n<!-- states:begin -->\nold\n<!-- states:end -->\n\nafter\n"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_document_of_the_repository_is_current() -> None:
    done = run("--check")
    assert done.returncode == 0, done.stderr


def test_it_draws_every_arrow_and_every_end_and_nothing_else(tmp_path: Path) -> None:
    document = tmp_path / "A.md"
    document.write_text(MARKED)
    assert run(document).returncode == 0
    text = document.read_text()
    assert text.startswith("# A\n\nbefore\n")
    assert text.endswith("\n\nafter\n")
    assert "old" not in text
    drawn = {
        (source, event.strip(), target)
        for source, target, events in re.findall(r"(\w+) --> (\w+): (.+)", text)
        for event in events.split(",")
    }
    assert drawn == {(s.value, e.value, t.value) for (s, e), t in TRANSITIONS.items()}
    ends = set(re.findall(r"(\w+) --> \[\*\]", text))
    assert ends == {s.value for s in State} - {s.value for s, _ in TRANSITIONS}
    assert "[*] --> queued" in text


def test_check_changes_nothing_and_knows_stale_from_current(tmp_path: Path) -> None:
    document = tmp_path / "A.md"
    document.write_text(MARKED)
    stale = run("--check", document)
    assert stale.returncode == 1
    assert "not current" in stale.stderr
    assert document.read_text() == MARKED
    run(document)
    assert run("--check", document).returncode == 0


def test_an_absent_document_is_made_but_not_by_check(tmp_path: Path) -> None:
    document = tmp_path / "A.md"
    assert run("--check", document).returncode == 1
    assert not document.exists()
    assert run(document).returncode == 0
    assert document.read_text().startswith("# Architecture\n")


@pytest.mark.parametrize("text", ["", "<!-- states:begin -->", "<!-- states:end -->\n<!-- states:begin -->"])
def test_without_markers_it_says_so(tmp_path: Path, text: str) -> None:
    document = tmp_path / "A.md"
    document.write_text(text)
    done = run(document)
    assert done.returncode == 1
    assert "needs the lines" in done.stderr
    assert document.read_text() == text
