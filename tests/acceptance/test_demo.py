"""`alertd demo --once`: what a stranger sees first."""

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEMO = [sys.executable, "-m", "alertd.cli", "demo", "--citizens", "60"]


def ours(folder: Path) -> list[str]:
    """Processes that were given this temporary folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in command:
            found.append(command.decode(errors="replace"))
    return found


def test_every_count_agrees(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [*DEMO, "--once"], capture_output=True, text=True, cwd=ROOT, env=env, timeout=180, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every count agrees" in done.stdout
    assert not list(tmp_path.glob("alertd-demo-*"))
    assert not ours(tmp_path)


def test_an_interrupt_leaves_nothing_behind(tmp_path: Path) -> None:
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(DEMO, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=env) as demo:
        assert demo.stdout is not None
        assert any("Staying up" in line for line in demo.stdout)
        assert len(ours(tmp_path)) >= 2
        demo.send_signal(signal.SIGINT)
        demo.communicate(timeout=60)
    assert demo.returncode == 0
    assert not list(tmp_path.glob("alertd-demo-*"))
    assert not ours(tmp_path)
