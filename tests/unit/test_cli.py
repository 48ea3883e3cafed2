"""The commands: what they post, what they print, and how they fail."""

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from alertd.cli import compose, main
from alertd.cli.client import Body
from alertd.cli.confirm import is_real
from alertd.cli.errors import Failure, guarded
from tests.support.cap_post import document
from tests.unit.cli_daemon import Script, daemon, receipts_of

ROOT = Path(__file__).resolve().parents[2]
WORDS = ["--status", "Exercise", "--event", "Temporali", "--zone", "048028"]


class Done(NamedTuple):
    code: int
    out: str
    err: str


Run = Callable[..., Done]


@pytest.fixture
def script() -> Iterator[Script]:
    with daemon(Script(receipts_of("complete", accepted=985, gone=2))) as running:
        yield running


@pytest.fixture
def run(script: Script, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    for name in ("ALERTD_CONFIG", "ALERTD_URL", "ALERTD_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALERTD_URL", script.url)
    monkeypatch.setenv("ALERTD_TOKEN", "t")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["alertd", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return Done(int(left.value.code or 0), captured.out, captured.err)

    return run


def test_send_posts_the_contracts_json(run: Run, script: Script) -> None:
    options = ["--headline", "H", "--language", "it-IT", "--severity", "Severe", "--channel", "push", "--expires", "6h"]
    done = run("send", *WORDS, *options)
    assert (done.code, done.out) == (0, "abc\n")
    ((path, headers, body),) = script.posts
    assert path == "/v1/alerts"
    assert headers["Authorization"] == "Bearer t"
    assert headers["Content-Type"] == "application/json"
    assert len(headers["Idempotency-Key"]) == 36
    alert = json.loads(body)
    assert alert["status"] == "Exercise"
    assert alert["purpose"] == "emergency"
    assert alert["channels"] == ["push"]
    (info,) = alert["info"]
    assert datetime.fromisoformat(info.pop("expires")) > datetime.now(UTC)
    assert info == {
        "language": "it-IT",
        "category": ["Safety"],
        "event": "Temporali",
        "urgency": "Unknown",
        "severity": "Severe",
        "certainty": "Unknown",
        "headline": "H",
        "area": [{"zone": "048028"}],
    }


def test_send_tries_again_under_the_same_key(run: Run, script: Script) -> None:
    script.refusals = 2
    done = run("send", *WORDS)
    assert done.code == 0
    assert len({headers["Idempotency-Key"] for _, headers, _ in script.posts}) == 1
    assert len(script.posts) == 3
    assert done.err.count("trying again") == 2


def test_send_a_file_as_it_is(run: Run, script: Script, tmp_path: Path) -> None:
    (tmp_path / "alert.json").write_bytes(b'{"status": "Exercise"}')
    (tmp_path / "alert.xml").write_bytes(b"<?xml version='1.0'?><alert/>")
    assert run("send", "--file", str(tmp_path / "alert.json"), "--idempotency-key", "mine").code == 0
    assert run("send", "--file", str(tmp_path / "alert.xml")).code == 0
    (_, first, body), (_, second, _) = script.posts
    assert body == b'{"status": "Exercise"}'
    assert first["Idempotency-Key"] == "mine"
    assert second["Content-Type"] == "application/cap+xml"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["send"], "--status, --event, --zone"),
        (["send", "--event", "x", "--zone", "*"], "--status"),
        (["send", "--file", "/nowhere.json"], "cannot be read"),
        (["send", "--file", "/nowhere.json", "--event", "x"], "not both"),
        (["send", *WORDS, "--expires", "tomorrow"], "is not a time"),
        (["send", *WORDS, "--url", "localhost"], "is not an address"),
        (["send", *WORDS, "--token", ""], "alertd token create"),
        (["send", *WORDS, "--severity", "Bad"], "Severe"),
        (["report"], "ID"),
        (["nothing"], "No such command"),
        (["token", "list", "--config", "/nowhere.toml"], "there is no such file"),
        (["run", "--config", "/nowhere.toml"], "there is no such file"),
        (["check", "--config", "/nowhere.toml"], "there is no such file"),
    ],
)
def test_wrong_usage_is_2_and_one_block(run: Run, script: Script, arguments: list[str], says: str) -> None:
    done = run(*arguments)
    assert done.code == 2, done
    assert says in done.err
    assert done.out == ""
    assert not script.posts


def test_a_problem_of_the_daemon_is_one_block(run: Run, script: Script) -> None:
    script.problem = {
        "status": 422,
        "title": "Unprocessable",
        "detail": "the alert cannot be sent",
        "errors": [{"loc": ["info", 0, "area", 0], "msg": "no zone 'Monteluppo'"}],
    }
    done = run("send", *WORDS)
    assert done.code == 1
    assert done.err.splitlines() == [
        "alertd: Unprocessable (422): the alert cannot be sent",
        "  - info.0.area.0: no zone 'Monteluppo'",
    ]
    script.problem = {"status": 403, "title": "Forbidden", "detail": "the token lacks alerts:send"}
    assert run("send", *WORDS).code == 1


def test_no_daemon(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run("report", "abc", "--url", "http://127.0.0.1:1")
    assert done.code == 1
    assert "cannot be reached" in done.err


def test_report_in_three_forms(run: Run, script: Script) -> None:
    table = run("report", "abc")
    assert table.code == 0
    assert "985" in table.out
    assert "gone" in table.out
    assert "retrying" not in table.out
    assert json.loads(run("report", "abc", "--format", "json").out) == script.receipts
    (row,) = csv.DictReader(io.StringIO(run("report", "abc", "--format", "csv").out))
    assert (row["alert_id"], row["channel"], row["accepted"], row["gone"]) == ("abc", "push", "985", "2")


def test_watch_survives_a_broken_stream(run: Run, script: Script) -> None:
    script.broken_streams = 2
    done = run("watch", "abc")
    assert done.code == 0
    assert "complete: push 987/987" in done.err
    assert "985" in done.out


def test_watch_fails_where_nothing_arrived(run: Run, script: Script) -> None:
    script.receipts = receipts_of("expired", expired=10)
    done = run("watch", "abc")
    assert done.code == 1
    assert "None of the 10 deliveries arrived" in done.err


def test_send_and_watch(run: Run) -> None:
    done = run("send", *WORDS, "--watch")
    assert done.code == 0
    assert done.out.startswith("abc\n")


def test_approve_and_reject_decide_a_draft(run: Run, script: Script) -> None:
    assert run("approve", "abc").out == "abc\n"
    assert run("reject", "abc", "--reason", "Sensore guasto").out == "abc\n"
    assert [(path, json.loads(body)) for path, _, body in script.posts] == [
        ("/v1/alerts/abc/approve", {}),
        ("/v1/alerts/abc/reject", {"reason": "Sensore guasto"}),
    ]
    assert run("reject", "abc").code == 2


def test_cancel(run: Run, script: Script) -> None:
    assert run("cancel", "abc", "--note", "Cessata allerta").out == "abc\n"
    ((path, headers, body),) = script.posts
    assert path == "/v1/alerts/abc/cancel"
    assert json.loads(body) == {"note": "Cessata allerta"}
    assert headers["Idempotency-Key"]


@pytest.mark.parametrize(("answer", "sent"), [("y\n", True), ("\n", False)])
def test_a_real_alert_from_a_terminal_asks(
    run: Run, script: Script, monkeypatch: pytest.MonkeyPatch, answer: str, *, sent: bool
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    done = run("send", "--status", "Actual", *WORDS[2:])
    assert done.code == (0 if sent else 1)
    assert "REAL ALERT" in done.err
    assert "to Montelupo Fiorentino through push (1,204). Send it?" in done.err
    assert [path for path, _, _ in script.posts] == ["/v1/previews", "/v1/alerts"][: 2 if sent else 1]


@pytest.mark.parametrize(
    ("msg_type", "asks", "paths"),
    [
        ("Alert", " to Montelupo Fiorentino through", ["/v1/previews", "/v1/alerts"]),
        ("Cancel", " to everybody who may have got", ["/v1/alerts"]),
        ("Ack", "", ["/v1/alerts"]),
    ],
)
def test_a_real_document_from_a_terminal_asks(
    run: Run,
    script: Script,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    msg_type: str,
    asks: str,
    paths: list[str],
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    (tmp_path / "alert.xml").write_bytes(document(msg_type=msg_type))
    done = run("send", "--file", str(tmp_path / "alert.xml"))
    assert done.code == 0
    assert asks in done.err
    assert ("REAL" in done.err) == bool(asks)
    assert [path for path, _, _ in script.posts] == paths


def test_a_real_alert_without_a_terminal_does_not_ask(run: Run, script: Script) -> None:
    assert run("send", "--status", "Actual", *WORDS[2:]).code == 0
    assert [path for path, _, _ in script.posts] == ["/v1/alerts"]


def test_what_is_real() -> None:
    assert is_real(Body.of({"status": "Actual"}))
    assert not is_real(Body.of({"status": "Exercise"}))
    assert not is_real(Body(b"[]"))
    assert is_real(Body(b"<alert><status> Actual </status></alert>", "application/cap+xml"))
    assert is_real(Body(b"<cap:alert><cap:status>Actual</cap:status></cap:alert>", "application/cap+xml"))
    assert is_real(Body(document(), "application/cap+xml"))
    assert is_real(Body(document().decode().replace("UTF-8", "UTF-16").encode("utf-16"), "application/cap+xml"))
    assert is_real(Body(document(msg_type="Cancel"), "application/cap+xml"))
    assert not is_real(Body(document(msg_type="Ack"), "application/cap+xml"))
    assert not is_real(Body(document(status="Exercise"), "application/cap+xml"))


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("90m", "2026-11-21T11:30:00+00:00"),
        ("2d", "2026-11-23T10:00:00+00:00"),
        ("2026-11-22T23:59:00+01:00", "2026-11-22T23:59:00+01:00"),
    ],
)
def test_when_an_alert_ends(text: str, end: str) -> None:
    assert compose.end_of(text, datetime(2026, 11, 21, 10, tzinfo=UTC)) == end


def test_a_time_without_its_offset_is_refused() -> None:
    with pytest.raises(Failure, match="offset"):
        compose.end_of("2026-11-22T23:59:00", datetime.now(UTC))


def test_a_fault_of_ours_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    def fault() -> None:
        raise KeyError("x")

    with pytest.raises(SystemExit) as left:
        guarded(fault)
    assert left.value.code == 1
    err = capsys.readouterr().err
    assert "A fault of alertd itself" in err
    assert "test_cli.py" in err
    assert "Traceback" not in err


def test_the_module_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "alertd.cli", "--help"], capture_output=True, text=True, cwd=ROOT, check=True
    )
    for command in [
        "run",
        "demo",
        "check",
        "send",
        "watch",
        "cancel",
        "report",
        "token",
        "subscribers",
        "sandbox",
        "migrate",
        "audit",
    ]:
        assert command in done.stdout
