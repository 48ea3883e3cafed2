"""The alerts as Atom (RFC 4287) and RSS 2.0, each entry leading to one CAP document; served from memory."""

from alertd.web.public.feeds.routes import add

__all__ = ["add"]
