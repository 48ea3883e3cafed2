"""Web Push (RFC 8030, 8188, 8291, 8292): one encrypted message to each subscribed browser.

The adapter is imported when it is asked for (PEP 562): a worker process needs nothing here but `envelope`.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adapters.webpush.adapter import WebPushAdapter

__all__ = ["WebPushAdapter"]


def __getattr__(name: str) -> "type[WebPushAdapter]":
    if name != "WebPushAdapter":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from adapters.webpush.adapter import WebPushAdapter

    return WebPushAdapter
