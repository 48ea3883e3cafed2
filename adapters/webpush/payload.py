"""What the service worker is told: one JSON object, made once per page.

`title`, `body`, `url`, `lang`: to show. `tag`: the notification's tag, so that an Update, a Cancel or a
repeat replaces. `kind`: CAP's msgType. `renotify`: make the device sound again although the tag is known.
`drill`: neither real nor a page to the officers. `purpose`: ours. `id`: the alert's, by which a repeat of the very
same message can be told. `sent`: CAP's text.
"""

import unicodedata
from collections.abc import Callable

import orjson

from alertd.domain.alert import MsgType
from alertd.ports.adapter import Notice

_ELLIPSIS = "…"


def payload_of(notice: Notice, limit: int) -> tuple[bytes, str, str]:
    """The JSON in at most `limit` bytes, and title and body as they fit into it.

    The body is cut first; only a title that does not fit alone is cut too. Link and marks always stay.
    """
    title = _longest(notice.title, lambda cut: len(_json(notice, cut, "")) <= limit)
    body = _longest(notice.text, lambda cut: len(_json(notice, title, cut)) <= limit)
    return _json(notice, title, body), title, body


def _json(notice: Notice, title: str, body: str) -> bytes:
    alert = notice.alert
    return orjson.dumps(
        {
            "title": title,
            "body": body,
            "tag": notice.tag,
            "url": notice.url,
            "lang": notice.language,
            "kind": alert.msg_type,
            "renotify": alert.msg_type is not MsgType.ALERT,
            "drill": not (alert.status.is_real or alert.is_page),
            "purpose": alert.purpose,
            "id": alert.id,
            "sent": alert.sent,
        }
    )


def _longest(text: str, fits: Callable[[str], bool]) -> str:
    """The whole text, or its longest beginning with an ellipsis that fits, empty where none does."""
    if fits(text):
        return text
    low, high = 0, len(text) - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(text[:middle] + _ELLIPSIS) else (low, middle - 1)
    while low and unicodedata.combining(text[low]):  # an accent must not lose its letter, nor a letter its accent
        low -= 1
    beginning = text[:low].rstrip()
    return beginning + _ELLIPSIS if beginning else ""
