"""Bytes from strangers → an XML tree that costs little and reaches nowhere, or one clear refusal.

No DOCTYPE, so no entities, no external subset and nothing to expand; no network; no XInclude. The size of the tree is
bounded before it is built: an element of four octets costs a hundred and more in memory.
"""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final

from lxml import etree

from alertd.domain.geo import MAX_POINTS_READ


@dataclass(frozen=True, slots=True)
class Limits:
    """What a document may cost: with these less than 0.1 s and 10 MB, which `python -m tests.bench --only cap_hostile`
    shows. `marks`: how many `<` and how many `=` it may hold, that is elements and attributes; the largest known alert
    has 1,282. `named`: how many `&`. `wide`: octets of one text that holds characters beyond U+FFFF, for then each of
    its characters takes four. `base64`: characters of one embedded file; `points`: of all its different polygons
    together."""

    octets: int = 3 * 2**20
    wide: int = 3 * 2**19
    marks: int = 15_000
    named: int = 250_000
    depth: int = 64
    alerts: int = 200
    infos: int = 1_000
    points: int = 20_000
    polygon_points: int = MAX_POINTS_READ
    base64: int = 2_600_000


STANDARD: Final = Limits()


class Refused(Exception):
    """Nothing of this document is read. `line` counts from one."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


_BOM8: Final = b"\xef\xbb\xbf"
_BOMS16: Final = (b"\xff\xfe", b"\xfe\xff")
_SPACE: Final = b" \t\r\n"
_blanks = re.compile(rb"[ \t\r\n]*+")
_WIDE = re.compile(rb"[\xf0-\xf4]|&#(?:x0*[0-9A-Fa-f]{5}|0*[1-9][0-9]{4})")
_ENCODING = re.compile(rb"\sencoding\s*=\s*(?:\"([^\"]*)\"|'([^']*)')")
# Each writes the characters of markup as ASCII does, so what is looked for in the octets is what the parser sees.
_READABLE = re.compile(rb"utf-?8|(us-)?ascii|iso[-_]?8859-\d{1,2}|latin-?1|(windows-|cp)125\d", re.IGNORECASE)


def _parser(encoding: str | None = None) -> etree.XMLParser:
    return etree.XMLParser(
        encoding=encoding,
        resolve_entities=False,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        no_network=True,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )


_PARSER: Final = _parser()
_PARSER_UTF8: Final = _parser("utf-8")


def parse(data: bytes, limits: Limits = STANDARD) -> etree._Element:
    """The root element, without comments and processing instructions. Raises Refused."""
    if len(data) > limits.octets:
        raise Refused(f"the document has {len(data):,} octets; at most {limits.octets:,} are read")
    octets, parser = _as_parsed(data)
    _counted(octets, limits)
    if len(octets) > limits.wide:
        _narrow(octets, limits)
    if line := _doctype(octets):
        raise Refused("the document has a DOCTYPE, which CAP has not and which may name files and hosts", line)
    try:
        root = etree.fromstring(octets, parser)
    except etree.XMLSyntaxError as error:
        raise Refused(f"this is not well-formed XML: {error.msg}", error.lineno or 1) from None
    if root.getroottree().docinfo.internalDTD is not None:  # the scan above sees it first; this is the second lock
        raise Refused("the document has a DOCTYPE")
    return root


def bounded(root: etree._Element, limits: Limits) -> None:
    """For a tree that is more than an alert as we know it. Raises Refused if it is nested deeper than the limit."""
    if _too_deep(limits.depth)(root):
        raise Refused(f"elements are nested more than {limits.depth} deep")


def _narrow(octets: bytes, limits: Limits) -> None:
    """Raises Refused for a long text with characters beyond U+FFFF."""
    for text in octets.split(b"<"):
        if len(text) > limits.wide and _WIDE.search(text):
            why = "with characters beyond U+FFFF"
            raise Refused(f"a text has {len(text):,} octets; {why}, at most {limits.wide:,} are read")


def _as_parsed(data: bytes) -> tuple[bytes, etree.XMLParser]:
    """The octets whose markup is ASCII, and the parser for them. UTF-16 is written anew as UTF-8."""
    if data.startswith(_BOMS16):
        try:
            return data.decode("utf-16").encode(), _PARSER_UTF8
        except UnicodeError as error:
            raise Refused(f"the document begins as UTF-16 but is none: {error}") from None
    octets = data.removeprefix(_BOM8)
    if not octets.lstrip(_SPACE).startswith(b"<"):
        raise Refused("this is not XML in an encoding that is read; write it in UTF-8" if data else "it is empty")
    if (nul := octets.find(b"\0")) >= 0:
        raise Refused("the document holds a NUL, which XML cannot", 1 + octets.count(b"\n", 0, nul))
    if octets.startswith(b"<?xml"):
        declaration = octets[: octets.find(b"?>", 0, 400) + 1]
        if b"encoding" in declaration and not _declares_readable(declaration):
            raise Refused("the encoding it declares is not read; write it in UTF-8")
        if not declaration:
            raise Refused("its XML declaration has no end")
    return octets, _PARSER


def _counted(octets: bytes, limits: Limits) -> None:
    if len(octets) <= limits.marks:  # what is shorter cannot hold as many
        return
    for mark, what in ((b"<", "elements"), (b"=", "attributes")):
        if octets.count(mark) > limits.marks:
            raise Refused(f"the document holds more than {limits.marks:,} {mark.decode()!r}: too many {what}")
    if len(octets) > limits.named and octets.count(b"&") > limits.named:
        raise Refused(f"the document holds more than {limits.named:,} '&': too many characters that are named")


@lru_cache(maxsize=64)
def _declares_readable(declaration: bytes) -> bool:
    found = _ENCODING.search(declaration)
    return found is not None and _READABLE.fullmatch(found[1] or found[2] or b"") is not None


def _doctype(octets: bytes) -> int:
    """The line of a DOCTYPE in the prolog, 0 where there is none: in a text those letters are harmless."""
    at = 0
    while True:
        at = _blanks.match(octets, at).end()  # type: ignore[union-attr]  # none at all match too
        if octets.startswith(b"<!--", at):
            end = octets.find(b"-->", at + 4)
        elif octets.startswith(b"<?", at):
            end = octets.find(b"?>", at + 2) - 1
        else:
            return 1 + octets.count(b"\n", 0, at) if octets.startswith(b"<!DOCTYPE", at) else 0
        if end < at:
            return 0  # no end: not well-formed, and the parser says so
        at = end + 3


@cache
def _too_deep(depth: int) -> etree.XPath:
    """One step a level: linear, and in C."""
    return etree.XPath(f"boolean(/{'/'.join(['*'] * (depth + 1))})")
