"""`alertd ingest test`: what one payload is read as, what the rules make of it, what each channel would carry."""

from importlib import import_module
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alertd.cli import app
from alertd.cli.errors import Failure
from alertd.sandbox.fake import FakeAdapter

ROOT = Path(__file__).resolve().parents[2]
CONFIG = """
[service]
sender = "prova@comune.example.it"
languages = ["it-IT"]
zones = ["{root}/config/zones/*.geojson"]
state = "{state}"
[channels.hook]
adapter = "fake"
addressed = false
[sources.pesa]
reader = "json_path"
value = "$.level"
device = "$.station"
unit = "m"
[templates.piena]
category = ["Met"]
[templates.piena.text.it-IT]
event = "Piena"
headline = "{{sensor}} a {{value}} {{unit}}"
[[rules]]
name = "piena"
template = "piena"
zones = ["048028"]
match = {{source = "pesa"}}
reading = {{above = 2.5}}
"""


@pytest.fixture(autouse=True)
def _shipped_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake is no plug-in that an operator could configure."""
    monkeypatch.setattr(import_module("alertd.settings.load"), "installed", lambda: {"fake": lambda: FakeAdapter})


def run(folder: Path, payload: bytes, source: str = "pesa") -> tuple[int, str, Exception | None]:
    config, file = folder / "alertd.toml", folder / "payload"
    config.write_text(CONFIG.format(root=ROOT, state=folder / "state"))
    file.write_bytes(payload)
    done = CliRunner().invoke(app, ["ingest", "test", source, str(file), "--config", str(config)])
    return done.exit_code, done.stdout, done.exception if isinstance(done.exception, Exception) else None


def test_what_matches_shows_every_condition_and_the_message(tmp_path: Path) -> None:
    code, said, _ = run(tmp_path, b'{"station": "pesa-1", "level": 2.61}')
    assert code == 0
    for line in (
        "signals: 1, violations: 0",
        "value: 2.61",
        "rule piena matches pesa-1",
        "--- hook (it-IT)",
        "pesa-1 a 2.61 m",
    ):
        assert line in said
    assert not (tmp_path / "state").exists()


def test_what_does_not_match_says_why(tmp_path: Path) -> None:
    code, said, _ = run(tmp_path, b'{"station": "pesa-1", "level": 1.2}')
    assert code == 0
    assert "rule piena does not match pesa-1" in said
    assert "no  threshold" in said
    assert "---" not in said


def test_what_cannot_be_read_says_where_and_fails(tmp_path: Path) -> None:
    code, said, error = run(tmp_path, b'{"station": "pesa-1"}')
    assert code != 0
    assert "$.level: error: leads to nothing" in said
    assert isinstance(error, Failure)


def test_an_unknown_source_is_wrong_usage(tmp_path: Path) -> None:
    _, _, error = run(tmp_path, b"1", source="arno")
    assert isinstance(error, Failure)
    assert error.code == 2
    assert "pesa" in str(error)


@pytest.mark.parametrize("text", ["noon", "2026-01-18T16:01:00"])
def test_a_time_needs_an_offset(text: str, tmp_path: Path) -> None:
    config, file = tmp_path / "alertd.toml", tmp_path / "payload"
    config.write_text(CONFIG.format(root=ROOT, state=tmp_path / "state"))
    file.write_bytes(b"{}")
    done = CliRunner().invoke(app, ["ingest", "test", "pesa", str(file), "--config", str(config), "--at", text])
    assert isinstance(done.exception, Failure)
