"""Files that a resource carries in itself (CAP 1.2, 3.2.3): do size and digest fit them?"""

import hashlib
import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator
from typing import Final

from alertd.domain.alert import Resource

_MIME = re.compile(r"[\w.+-]+/[\w.+-]+(\s*;.*)?", re.ASCII)
_SHA1: Final = 40


def file_faults(resource: Resource) -> Iterator[tuple[str, str]]:
    """The element and what is wrong with it."""
    if not _MIME.fullmatch(resource.mime_type):
        yield "mimeType", f"mimeType {resource.mime_type[:40]!r} is none"
    if resource.size is not None and resource.size < 0:
        yield "size", f"size {resource.size} is no number of bytes"
    if resource.deref_uri is None:
        return
    try:
        octets = b64decode("".join(resource.deref_uri.split()), validate=True)
    except (NotBase64, ValueError):
        yield "derefUri", "derefUri is not base64"
        return
    # CAP lets size be approximate, so only an empty file is a fault.
    if not octets:
        yield "derefUri", "derefUri is empty"
    digest = (resource.digest or "").strip().casefold()
    if len(digest) == _SHA1 and hashlib.sha1(octets, usedforsecurity=False).hexdigest() != digest:
        yield "digest", "digest is not that of the file in derefUri"
