"""How a command says that something went wrong: one readable block on stderr, an exit code, never a traceback."""

import sys
import traceback
from collections.abc import Callable, Iterable
from typing import NoReturn

from alertd.domain.problems import Conflict, Forbidden, Invalid, NotFound, Unavailable
from alertd.settings import ConfigError

DID_NOT_HAPPEN = 1
WRONG_USAGE = 2


class Failure(Exception):
    """What was asked for did not happen, or (`code` 2) was asked for wrongly. The text is for the operator."""

    def __init__(self, text: str, code: int = DID_NOT_HAPPEN) -> None:
        super().__init__(text)
        self.code = code


def guarded(command: Callable[[], object]) -> NoReturn:
    """Run it; end the process with the code its outcome has."""
    try:
        command()
    except (Failure, ConfigError, Invalid, NotFound, Conflict, Forbidden, Unavailable) as error:
        leave(*explained(error))
    except KeyboardInterrupt:
        leave("Interrupted.", DID_NOT_HAPPEN)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output left: nobody to tell, and the interpreter must not try
        sys.exit(DID_NOT_HAPPEN)
    except OSError as error:
        leave(str(error), DID_NOT_HAPPEN)
    except Exception as error:  # noqa: BLE001  (the promise is: never a traceback)
        leave(*_unforeseen(error))
    sys.exit(0)


def explained(error: Exception) -> tuple[str, int]:
    """The text and exit code of an error we expected."""
    match error:
        case Failure():
            return str(error), error.code
        case ConfigError():
            return str(error), WRONG_USAGE
        case Invalid():
            return "\n".join(("This cannot be taken as it is:", *bullets(error.problems))), WRONG_USAGE
        case Unavailable():
            return f"The store cannot take it now, and nothing was stored: {error}", DID_NOT_HAPPEN
        case _:
            return str(error), DID_NOT_HAPPEN


def bullets(lines: Iterable[object]) -> list[str]:
    return [f"  - {line}" for line in lines]


def leave(text: str, code: int) -> NoReturn:
    sys.stderr.write(f"alertd: {text}\n")
    sys.exit(code)


def _unforeseen(error: Exception) -> tuple[str, int]:
    # Imported only here: the store's and the territory's libraries would slow every command down.
    from alertd.storage import StoreBusy, StoreMisconfigured, StoreTooNew
    from alertd.territory import ZoneFileError

    match error:
        case StoreBusy() | StoreTooNew():
            return str(error), DID_NOT_HAPPEN
        case StoreMisconfigured() | ZoneFileError():
            return str(error), WRONG_USAGE
        case _:
            return _bug(error), DID_NOT_HAPPEN


def _bug(error: Exception) -> str:
    """Where it happened, in one line: enough to report it, without the page of a traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"A fault of alertd itself{where}.\n  {type(error).__name__}: {error}"
