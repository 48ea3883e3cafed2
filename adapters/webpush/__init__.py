"""Web Push (RFC 8030, 8188, 8291, 8292): one encrypted message to each subscribed browser."""

from adapters.webpush.adapter import WebPushAdapter

__all__ = ["WebPushAdapter"]
