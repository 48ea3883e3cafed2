"""JSON from strangers (RFC 8259), read strictly: what two readers could understand differently is refused.

orjson already refuses NaN, infinities, invalid UTF-8 and lone surrogates; what it lets pass is looked for here: names
given twice, numbers whose length or exponent no measurement has, and deep nesting.
"""

import json
import re
from typing import Any, Final

import orjson

from alertd.ingest.readers.received import Fault, bounded

MAX_DEPTH: Final = 40
_NESTED: Final[frozenset[type]] = frozenset({dict, list})
_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"')
_ABSURD = re.compile(rb"[0-9.eE+-]{41}|[eE][+-]?[0-9]{3}")
_LONGEST: Final = b"0" * 41
_NUMERIC: Final = bytes(ord("0") if octet in b"0123456789.eE+-" else ord(" ") for octet in range(256))
_SHAPES: Final = bytes.maketrans(b"0123456789eE+-\t\n\r", b"0000000000ee++   ")
"""Searching for these in what they make of a payload is many times faster than searching with `_ABSURD`."""


def load(payload: bytes, *, limit: int) -> Any:
    """The document in a payload of at most `limit` bytes. Raises Fault saying what is wrong with it.

    An integer of more than 64 bits comes back as a float.
    """
    try:
        document = orjson.loads(bounded(payload, limit))
    except orjson.JSONDecodeError as error:
        raise Fault(f"line {error.lineno}", f"is not JSON: {error.msg}") from None
    members = _members(document)
    return document if _plain(payload, members) else _looked_at(payload, document, members)


def _plain(payload: bytes, members: int) -> bool:
    """Whether a glance is enough. Where every colon of a member follows its name at once there are at least as many
    `":` as names in the text; so with as many as there are members no name is given twice."""
    if payload.count(b'":') != members or _LONGEST in payload.translate(_NUMERIC):
        return False
    shape = payload.translate(_SHAPES)
    return b" :" not in shape and b"e000" not in shape and b"e+000" not in shape


def _looked_at(payload: bytes, document: Any, members: int) -> Any:
    """The same, for a payload at which a glance is not enough."""
    bare = _STRING.sub(b"", payload)  # outside of strings every colon is a member and every digit a number
    if number := _ABSURD.search(bare):
        raise Fault("payload", f"a number like {number[0][:20].decode()!r} is no measurement")
    if bare.count(b":") != members:
        raise Fault("payload", f"names {_twice(payload)!r} twice in one object")
    return document


def mapping(value: Any, where: str) -> dict[str, Any]:
    """`value` if it is an object. Raises Fault."""
    if not isinstance(value, dict):
        raise Fault(where, f"is {_kind(value)}, not an object")
    return value


def sequence(value: Any, where: str, *, limit: int) -> list[Any]:
    """`value` if it is an array of at most `limit`. Raises Fault."""
    if not isinstance(value, list):
        raise Fault(where, f"is {_kind(value)}, not an array")
    if len(value) > limit:
        raise Fault(where, f"has {len(value)} members; at most {limit} are read")
    return value


def _members(document: Any) -> int:
    if type(document) is dict and _NESTED.isdisjoint(map(type, document.values())):
        return len(document)
    count, level = 0, [document]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                count += len(value)
                below += [within for within in value.values() if type(within) in _NESTED]
            elif isinstance(value, list):
                below += [within for within in value if type(within) in _NESTED]
        if not below:
            return count
        level = below
    raise Fault("payload", f"is nested more than {MAX_DEPTH} deep")


def _twice(payload: bytes) -> str:
    found = ""

    def pairs(members: list[tuple[str, Any]]) -> None:
        nonlocal found
        seen: set[str] = set()
        for name, _ in members:
            found = found or (name if name in seen else "")
            seen.add(name)

    json.loads(payload, object_pairs_hook=pairs)
    return found[:60]


def _kind(value: Any) -> str:
    match value:
        case None:
            return "missing"
        case bool():
            return "true or false"
        case str():
            return "a text"
        case int() | float():
            return "a number"
        case list():
            return "an array"
        case _:
            return "an object"
