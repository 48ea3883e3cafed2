"""Where things lie when nobody said where."""

from collections.abc import Mapping
from pathlib import Path

import alertd


def shipped() -> Path:
    """The folder of templates and zones that came with alertd.

    In an installed wheel it is `alertd/data`; in a checkout it is the repository's `config`.
    """
    package = Path(alertd.__file__).resolve().parent
    installed = package / "data"
    return installed if installed.is_dir() else package.parent / "config"


def state_folder(environ: Mapping[str, str]) -> Path:
    """systemd's state folder (the first, where several are named), else the user's own."""
    if given := environ.get("STATE_DIRECTORY", "").partition(":")[0]:
        return Path(given)
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    return home / ".local" / "state" / "alertd"
