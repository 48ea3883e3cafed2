"""A Notice as a Telegram message: bold title, text, link. Pure.

The text is cut first and escaped last, so a cut can never fall inside a tag or an entity. The limit counts what
remains after the entities are parsed; it is counted here in UTF-16 units, as Telegram's clients do, of which there
are never fewer than characters.
"""

import html
import re
from dataclasses import dataclass
from typing import Final

from alertd.domain.alert import Purpose
from alertd.ports.adapter import Notice

MAX_LENGTH: Final = 4096
_MAX_TITLE: Final = 1024
_MAX_URL: Final = 2048
_GAP: Final = "\n\n"
_LOOK_BACK: Final = 40
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_CLINGING: Final = re.compile(r"[\u0300-\u036f\u200d\u20d0-\u20ff\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]")


@dataclass(frozen=True, slots=True)
class Post:
    """`html` is what is sent, `plain` what a person reads. `silent`: no sound."""

    html: str
    plain: str
    silent: bool


def compose(notice: Notice) -> Post:
    title = cut(" ".join(_clean(notice.title).split()), _MAX_TITLE)
    body, link = _body(_clean(notice.text).strip(), notice.url.strip(), MAX_LENGTH - length(title) - len(_GAP))
    marked = [f"<b>{html.escape(title, quote=False)}</b>" if title else "", html.escape(body, quote=False)]
    return Post(
        html=_GAP.join(part for part in (*marked, html.escape(link, quote=False)) if part),
        plain=_GAP.join(part for part in (title, body, link) if part),
        silent=notice.alert.purpose is Purpose.EVENT,
    )


def length(text: str) -> int:
    """In UTF-16 units."""
    return len(text) + sum(c > "\uffff" for c in text)


def cut(text: str, room: int) -> str:
    """The text if it fits into `room` UTF-16 units, else its beginning and an ellipsis.

    Between two words where there is a blank near the end, else between two characters: never between a letter
    and its accent, or inside an emoji made of several.
    """
    if length(text) <= room:
        return text
    end, used = 0, 1  # the ellipsis
    for end, character in enumerate(text):  # noqa: B007 - where the room ends
        used += length(character)
        if used > room:
            break
    blank = max(text.rfind(" ", end - _LOOK_BACK, end + 1), text.rfind("\n", end - _LOOK_BACK, end + 1))
    if blank > 0:
        return text[:blank].rstrip() + "…"
    while end > 0 and (_CLINGING.match(text[end]) or text[end - 1] == "\u200d"):
        end -= 1
    return text[:end] + "…"


def _body(text: str, url: str, room: int) -> tuple[str, str]:
    """The text and the link to put below it; no link where there is none or what is left of the text shows it."""
    if len(url) > _MAX_URL or not url.isprintable():
        url = ""
    if url in text and length(text) <= room:
        return text, ""
    kept = cut(text, room - length(url) - len(_GAP)) if url else cut(text, room)
    return kept, "" if url in kept else url


def _clean(text: str) -> str:
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
