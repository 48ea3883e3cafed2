"""Secrets that lie outside the configuration: `{credential = "name"}` and `{file = "path"}`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alertd.settings.findings import Findings
from alertd.settings.source import Key

_CREDENTIAL, _FILE = "credential", "file"


def resolve(tree: Any, key: Key, environ: Mapping[str, str], findings: Findings) -> Any:
    """The tree with every reference replaced by what it refers to; one that cannot be read is a finding."""
    if not isinstance(tree, Mapping):
        return tree
    if len(tree) == 1 and (kind := next(iter(tree))) in (_CREDENTIAL, _FILE) and isinstance(tree[kind], str):
        return _look_up(kind, tree[kind], key, environ, findings)
    return {name: resolve(value, (*key, name), environ, findings) for name, value in tree.items()}


def _look_up(kind: str, name: str, key: Key, environ: Mapping[str, str], findings: Findings) -> str:
    given = f'{{{kind} = "{name}"}}'
    if kind == _FILE:
        path = findings.source.folder / Path(name).expanduser()
        right = "the path of a file holding the secret alone, readable by the user running alertd"
        return _text(path, key, right, given, findings)
    if "/" in name or name in ("", ".", ".."):
        right = "a plain file name, as in LoadCredential=NAME:/path"
        findings.refuse(key, "is not the name of a credential", right, given)
        return ""
    if not (folder := environ.get("CREDENTIALS_DIRECTORY")):
        wrong = "there are no credentials: $CREDENTIALS_DIRECTORY is not set"
        right = f'run under systemd with LoadCredential={name}:/path, or use {{file = "path"}}'
        findings.refuse(key, wrong, right, given)
        return ""
    return _text(Path(folder) / name, key, f"LoadCredential={name}:/path in the unit", given, findings)


def _text(path: Path, key: Key, right: str, given: str, findings: Findings) -> str:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        findings.refuse(key, f"{path} cannot be read: {error.strerror}", right, given)
    except UnicodeDecodeError:
        findings.refuse(key, f"{path} is not UTF-8 text", right, given)
    else:
        if not secret:
            findings.refuse(key, f"{path} is empty", right, given)
        return secret
    return ""
