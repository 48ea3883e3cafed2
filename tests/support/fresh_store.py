"""An empty store at the current schema: migrated once in a process, copied wherever a test begins with one.

That the migrations build it is proven in tests/integration/test_store_migrate.py, and by every daemon the acceptance
tests start.
"""

import tempfile
from functools import cache
from pathlib import Path

from alertd.storage import migrate


def lay(path: Path) -> None:
    """Put it at `path` where there is none yet, in a folder that is there."""
    if not path.exists() and path.parent.exists():
        path.write_bytes(_migrated())


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "alertd.db"
        migrate.bring_up_to_date(path)
        return path.read_bytes()
