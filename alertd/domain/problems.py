"""What can be wrong with a request, as values the API, the CLI and the readers all show the same way."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """`loc` is the path to the fault, e.g. ("info", 0, "area"); `msg` says what is wrong and what would be right."""

    loc: tuple[str | int, ...]
    msg: str

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.loc))}: {self.msg}" if self.loc else self.msg


class Invalid(ValueError):
    """The request cannot be taken as it is; nothing was stored."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = problems


class NotFound(LookupError):
    """There is no such thing."""


class Conflict(RuntimeError):
    """The thing exists but its state does not allow this."""


class InFlight(Conflict):
    """The same request is being answered right now: ask again in a moment."""


class Overtaken(InFlight):
    """Another message came in between, so what was decided no longer holds: decide again."""


class Unauthorized(RuntimeError):
    """The caller's token was revoked; nothing was stored."""


class Forbidden(RuntimeError):
    """The caller is known but may not do this."""


class Unavailable(RuntimeError):
    """The store cannot take it now (disk full, read-only, busy); nothing was stored; try again."""
