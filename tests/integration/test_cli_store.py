"""The commands that work on the store directly, on a real one."""

import json
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from alertd.cli import main

CONFIG = """
[service]
state = "state"
[channels.mail]
adapter = "email"
host = "127.0.0.1"
port = 25
tls = "none"
from = "Protezione Civile <allerta@comune.example.it>"
"""


class Done(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Run:
    (tmp_path / "alertd.toml").write_text(CONFIG)
    monkeypatch.setenv("ALERTD_CONFIG", str(tmp_path / "alertd.toml"))

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["alertd", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        sys.stdout.flush()
        captured = capfd.readouterr()
        return Done(int(left.value.code or 0), captured.out, captured.err)

    return run


def test_tokens(run: Run) -> None:
    made = run("token", "create", "--name", "officer", "--scope", "alerts:send", "--mode", "Exercise")
    assert made.code == 0
    assert made.out.startswith("alertd_")
    assert len(made.out.splitlines()) == 1
    assert run("token", "create", "--name", "officer", "--scope", "alerts:send").code == 1
    wrong = run("token", "create", "--name", "x", "--scope", "alert:send")
    assert wrong.code == 2
    assert "alerts:send" in wrong.err
    listed = run("token", "list").out
    assert "officer" in listed
    assert made.out.strip() not in listed
    assert run("token", "revoke", "officer").code == 0
    assert run("token", "revoke", "officer").code == 1


def test_subscribers_there_and_back(run: Run, tmp_path: Path) -> None:
    row = {"language": "it", "zones": ["048028"], "endpoints": [{"channel": "mail", "address": "a@example.org"}]}
    bad = {**row, "zones": ["nowhere"]}
    file = tmp_path / "in.ndjson"
    file.write_text(f"{json.dumps(row)}\n{json.dumps(bad)}\n")
    done = run("subscribers", "import", str(file))
    assert (done.code, done.out) == (1, "created 1, updated 0, rejected 1\n")
    assert "line 2" in done.err
    assert "a…@example.org" in run("subscribers", "list").out
    for form, name in (("ndjson", "out.ndjson"), ("csv", "out.csv")):
        exported = run("subscribers", "export", "--format", form)
        assert "a@example.org" in exported.out
        (tmp_path / name).write_text(exported.out)
        again = run("subscribers", "import", str(tmp_path / name))
        assert (again.code, again.out) == (0, "created 0, updated 1, rejected 0\n")


def test_the_audit_log_shows_a_forgery(run: Run, tmp_path: Path) -> None:
    assert run("migrate").code == 0
    run("token", "create", "--name", "a", "--scope", "ingest")
    run("token", "create", "--name", "b", "--scope", "ingest")
    whole = run("audit", "verify")
    assert whole.code == 0
    assert "The chain is whole: 2 entries" in whole.out
    with sqlite3.connect(tmp_path / "state/alertd.db") as store:
        store.execute("UPDATE audit SET actor = 'mallory' WHERE seq = 1")
    store.close()
    broken = run("audit", "verify")
    assert broken.code == 1
    assert "broken at entry 1" in broken.err


def test_check_offline_and_online(run: Run) -> None:
    offline = run("check")
    assert offline.code == 0
    assert "addressed" in offline.out
    online = run("check", "--online")
    assert "Traceback" not in online.err
    assert online.code in (0, 1)


def test_a_zone_file_that_is_none_is_said_plainly(run: Run, tmp_path: Path) -> None:
    (tmp_path / "z.geojson").write_text("{}")
    (tmp_path / "alertd.toml").write_text(CONFIG.replace("[service]", '[service]\nzones = ["z.geojson"]'))
    done = run("check")
    assert done.code == 2
    assert "z.geojson" in done.err
