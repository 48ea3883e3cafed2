"""Tokens: 256 random bits shown once, kept as their SHA-256; scopes say what, modes say how real."""

import hashlib
import secrets
from collections import OrderedDict

from alertd.domain.alert import Status
from alertd.domain.paging import reserved
from alertd.domain.problems import Forbidden, Invalid, Problem
from alertd.ports.clock import Clock
from alertd.ports.stores.access import Token, TokenStore

SCOPES = frozenset(
    {
        "alerts:send",
        "alerts:draft",
        "alerts:approve",
        "alerts:read",
        "subscribers:read",
        "subscribers:write",
        "ingest",
        "admin",
    }
)
_LONGEST_NAME = 100
_MOST_SEEN = 256
MODES = frozenset(status.value for status in Status)


class Access:
    def __init__(self, store: TokenStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._seen: OrderedDict[str, Token] = OrderedDict()

    async def authenticate(self, secret: str) -> Token | None:
        """The live token of this secret. Looked up by digest, so its time says nothing of the secret."""
        digest = _digest(secret)
        token = await self._store.find_token(digest)
        if token is None:
            self._seen.pop(digest, None)
        else:
            self._seen[digest] = token
            if len(self._seen) > _MOST_SEEN:
                self._seen.popitem(last=False)
        return token

    async def recognise(self, secret: str) -> Token | None:
        """As `authenticate`, but from memory where it was seen before, which spares a caller in haste the way to the
        store. It may have been revoked since: only for what the store confirms with the very change it makes
        (`NewAlert.on_word_of`); what is refused before that must be refused after `authenticate`."""
        return self._seen.get(_digest(secret)) or await self.authenticate(secret)

    async def create(self, name: str, scopes: frozenset[str], modes: frozenset[str] | None, *, actor: str) -> str:
        """Make a token and return its secret, which is not kept. Raises Invalid, Conflict."""
        problems = [
            *(
                Problem(("scope", s), f"no such scope; one of {', '.join(sorted(SCOPES))}")
                for s in sorted(scopes - SCOPES)
            ),
            *(
                Problem(("mode", m), f"no such status; one of {', '.join(sorted(MODES))}")
                for m in sorted((modes or frozenset()) - MODES)
            ),
        ]
        if not scopes:
            problems.append(Problem(("scope",), "at least one is needed"))
        if reserved(name):
            problems.append(Problem(("name",), f"{name!r} is a name of the house's own: choose another"))
        if not name or len(name) > _LONGEST_NAME or not name.isprintable():
            problems.append(Problem(("name",), f"1 to {_LONGEST_NAME} printable characters"))
        if problems:
            raise Invalid(*problems)
        secret = f"alertd_{secrets.token_urlsafe(32)}"
        await self._store.add_token(Token(name, _digest(secret), scopes, modes, self._clock.now()), actor=actor)
        return secret


def holds(token: Token, scope: str) -> bool:
    return scope in token.scopes or "admin" in token.scopes


def allow(token: Token, scope: str) -> None:
    """Raises Forbidden unless the token has the scope; `admin` has them all."""
    if not holds(token, scope):
        raise Forbidden(f"token {token.name!r} lacks the scope {scope}")


def allow_mode(token: Token, status: Status) -> None:
    """Raises Forbidden where the token is limited to other modes, e.g. a drill token sending an Actual alert."""
    if token.modes is not None and status.value not in token.modes:
        allowed = ", ".join(sorted(token.modes))
        raise Forbidden(f"token {token.name!r} may only send {allowed}, not {status}")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
