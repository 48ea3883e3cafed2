"""The Bot API's HTML style (core.telegram.org/bots/api#html-style): what it takes and how it counts."""

import re
from html import unescape

MAX_TEXT = 4096
_TAGS = frozenset(
    "b strong i em u ins s strike del span tg-spoiler a code pre blockquote tg-emoji".split()  # noqa: SIM905
)
_MARKUP = re.compile(r"<(?P<end>/?)(?P<name>[^\s<>/]*)(?P<rest>[^<>]*)>?|&(?P<entity>#?\w+);")
_ENTITIES = frozenset({"lt", "gt", "amp", "quot"})


class UnparsableError(ValueError):
    """The words the Bot API refuses with."""


def visible(text: str) -> str:
    """The text as read, without its markup. Raises UnparsableError."""
    out: list[str] = []
    open_tags: list[str] = []
    at = 0
    for found in _MARKUP.finditer(text):
        out.append(text[at : found.start()])
        at = found.end()
        if entity := found["entity"]:
            known = entity in _ENTITIES or entity.startswith("#")
            out.append(unescape(found[0]) if known else found[0])
        else:
            _tag(found, open_tags, len(text[: found.start()].encode()))
    if open_tags:
        raise UnparsableError(f'Can\'t find end tag corresponding to start tag "{open_tags[-1]}"')
    return "".join([*out, text[at:]])


def length(text: str) -> int:
    """In UTF-16 code units, as the Bot API counts."""
    return len(text.encode("utf-16-le")) // 2


def _tag(found: re.Match[str], open_tags: list[str], offset: int) -> None:
    name = found["name"].lower()
    if not found[0].endswith(">"):
        raise UnparsableError(f"Unclosed start tag at byte offset {offset}" if name else _unsupported(name, offset))
    if found["end"]:
        if not open_tags:
            raise UnparsableError(f"Unexpected end tag at byte offset {offset}")
        if (expected := open_tags.pop()) != name:
            raise UnparsableError(
                f'Unmatched end tag at byte offset {offset}, expected "</{expected}>", found "</{name}>"'
            )
    elif name not in _TAGS:
        raise UnparsableError(_unsupported(name, offset))
    else:
        open_tags.append(name)


def _unsupported(name: str, offset: int) -> str:
    return f'Unsupported start tag "{name}" at byte offset {offset}'
