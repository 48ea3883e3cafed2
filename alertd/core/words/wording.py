"""Small rules about text for people: clean, one line, short enough, and whether something is said."""

import re

_FORBIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"  # controls
    "\ud800-\udfff\ufff9-\ufffb\ufffe\uffff\ufeff"  # no characters at all
    "\u202a-\u202e\u2066-\u2069]"  # would turn the text around what follows
)
_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_BLANKS = re.compile(r"[^\S\n]+")
_GAPS = re.compile(r" ?\n ?")
_MANY_GAPS = re.compile(r"\n{3,}")
_UNEVEN = re.compile(f"{_FORBIDDEN.pattern}|{_BREAKS.pattern}|[^\\S\n ]| [ \n]|\n(?: |\n\n)")
"""Whatever `plain` would change inside a text; most texts hold none of it."""


def plain(text: str) -> str:
    """The text without control characters, with single blanks and at most one empty line in a row."""
    if _UNEVEN.search(text) is None:
        return text.strip()
    text = _FORBIDDEN.sub("", _BREAKS.sub("\n", text))
    text = _GAPS.sub("\n", _BLANKS.sub(" ", text))
    return _MANY_GAPS.sub("\n\n", text).strip()


def line(text: str) -> str:
    """The same as one line."""
    return " ".join(plain(text).split())


def clip(text: str, limit: int) -> str:
    """At most `limit` characters, cut between words where one ends near, with an ellipsis."""
    if len(text) <= limit:
        return text
    cut = text[: max(limit - 1, 0)]
    blank = max(cut.rfind(" "), cut.rfind("\n"))
    return (cut[:blank] if blank > len(cut) * 3 // 4 else cut).rstrip() + "…"


def squash(text: str) -> str:
    """For comparing: case and the kind of blank aside."""
    return " ".join(text.casefold().split())


def says(squashed: str, needle: str) -> bool:
    """Whether a squashed text holds `needle` as words of its own, not as a part of longer ones."""
    wanted = squash(needle)
    at = squashed.find(wanted)
    while at >= 0 and wanted:
        end = at + len(wanted)
        if not (_joins(squashed, at) or _joins(squashed, end)):
            return True
        at = squashed.find(wanted, at + 1)
    return not wanted


def without_lead(text: str, parts: tuple[str, ...]) -> str:
    """The text after these opening parts, as many as it has, in order, punctuation between them aside."""
    rest = text
    for part in parts:
        found = re.match(rf"[\W_]{{0,12}}{re.escape(part)}(?!\w)", rest, re.IGNORECASE)
        if found:
            rest = rest[found.end() :]
    return rest.lstrip(" \n\t:;,.|/-–—]") if rest is not text else text  # noqa: RUF001  dashes as people type them


def opens_with(text: str, parts: tuple[str, ...]) -> bool:
    """Whether the text begins with all these parts, in order, punctuation between them aside."""
    pattern = "".join(rf"[\W_]{{0,12}}{re.escape(part)}(?!\w)" for part in parts)
    return re.match(pattern, text, re.IGNORECASE) is not None


def _joins(text: str, at: int) -> bool:
    """Whether a word runs on across this place."""
    return 0 < at < len(text) and text[at - 1].isalnum() and text[at].isalnum()
