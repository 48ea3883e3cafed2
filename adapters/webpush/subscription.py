"""A citizen's push subscription: read from a stranger, kept as canonical JSON, read for every message."""

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric import ec

from adapters.guard import HostList
from adapters.webpush.envelope import Keys

MAX_JSON = 8_192
MAX_ENDPOINT = 2_048
_STANDARD = bytes.maketrans(b"-_", b"+/")
_OPENING = '{"endpoint":"https://'
_KEYS = '","keys":{"auth":"'
_AFTER_ENDPOINT = len(_KEYS) + 22 + len('","p256dh":"') + 87 + len('"}}')  # both keys have one length in base64url
# No userinfo, fragment, blank, quote or backslash: nothing that two readers could understand differently.
_ENDPOINT = re.compile(
    r"https://(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<path>/[!$-;=?-\[\]_a-z~]*)?"
)


@dataclass(frozen=True, slots=True)
class Subscription:
    """`origin` is host:port of the endpoint; `audience` its scheme and authority without the default port."""

    endpoint: str
    keys: Keys

    @property
    def origin(self) -> str:
        return with_port(self.audience.removeprefix("https://"))

    @property
    def audience(self) -> str:
        return self.endpoint[: self.endpoint.index("/", len("https://"))]


def normalize(text: str, hosts: HostList) -> str:
    """The canonical JSON of a PushSubscription: endpoint and keys only, sorted and compact.

    ValueError says what is wrong, never repeating the address.
    """
    if len(text) > MAX_JSON:
        raise ValueError(f"a subscription has at most {MAX_JSON} characters")
    parsed = _parse(text)
    endpoint = _normal_endpoint(parsed.endpoint)
    subscription = Subscription(endpoint, parsed.keys)
    if not hosts.allows(subscription.origin):
        raise ValueError("the endpoint is not at a push service this channel allows (allow_hosts)")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), parsed.keys.point)
    except ValueError:
        raise ValueError("keys.p256dh is not a point of the curve P-256") from None
    keys = {"auth": _b64(parsed.keys.auth), "p256dh": _b64(parsed.keys.point)}
    return orjson.dumps({"endpoint": endpoint, "keys": keys}).decode()


def read(address: str) -> Subscription:
    """What `normalize` gave, else ValueError; that the point is on the curve is not checked again."""
    subscription = _parse(address)
    if not _ENDPOINT.fullmatch(subscription.endpoint) or "/" not in subscription.endpoint[len("https://") :]:
        raise ValueError("the endpoint is not a canonical https address")
    return subscription


def origin_of(address: str) -> str:
    """host:port of a canonical subscription, without decoding it; empty where it is not one."""
    if not address.startswith(_OPENING):
        return ""
    end = address.find("/", len(_OPENING))
    return with_port(address[len(_OPENING) : end]) if end > 0 else ""


def split(address: str) -> tuple[str, str]:
    """Authority and path of a subscription's endpoint: by slicing where it is canonical, in a microsecond, else by
    reading it. Both empty where it cannot be read.
    """
    start, end = len(_OPENING), len(address) - _AFTER_ENDPOINT
    if end > start and address.startswith(_OPENING) and address.startswith(_KEYS, end):
        slash = address.find("/", start, end)
        path = address[slash:end]
        if slash > start and path.isascii() and '"' not in path and "\\" not in path:
            return address[start:slash], path
    try:
        found = read(address)
    except ValueError:
        return "", ""
    return found.audience.removeprefix("https://"), found.endpoint[len(found.audience) :]


def with_port(authority: str) -> str:
    """host:port; 443 where it names none."""
    return authority if ":" in authority.rpartition("]")[2] else f"{authority}:443"


def _parse(text: str) -> Subscription:
    try:
        document: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise ValueError("the subscription is not JSON") from None
    endpoint, keys = _field(document, "endpoint"), _field(document, "keys")
    if not isinstance(endpoint, str) or not isinstance(keys, dict):
        raise ValueError("a subscription has an endpoint and keys.p256dh and keys.auth")  # noqa: TRY004
    point, auth = _unb64(_field(keys, "p256dh"), "p256dh"), _unb64(_field(keys, "auth"), "auth")
    if len(point) != 65 or point[0] != 4:  # noqa: PLR2004 - SEC 1, section 2.3.3
        raise ValueError("keys.p256dh is not an uncompressed point of 65 bytes")
    if len(auth) != 16:  # noqa: PLR2004 - RFC 8291, section 3.2
        raise ValueError("keys.auth is not 16 bytes")
    return Subscription(endpoint, Keys(point, auth))


def _field(document: object, name: str) -> Any:
    return document.get(name) if isinstance(document, dict) else None


def _normal_endpoint(endpoint: str) -> str:
    if len(endpoint) > MAX_ENDPOINT:
        raise ValueError(f"an endpoint has at most {MAX_ENDPOINT} characters")
    match = _ENDPOINT.fullmatch(endpoint)
    if match is None:
        raise ValueError("the endpoint is not a plain https address")
    port = match["port"] or "443"
    authority = match["host"].lower() + ("" if port == "443" else f":{port}")
    return f"https://{authority}{match['path'] or '/'}"


def _b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unb64(text: object, name: str) -> bytes:
    """base64url, or what lenient libraries write: base64, padded."""
    if not isinstance(text, str):
        raise ValueError(f"keys.{name} is missing")  # noqa: TRY004 - wrong input, not a wrong call
    try:
        plain = text.rstrip("=").encode().translate(_STANDARD)
        return binascii.a2b_base64(plain + b"=" * (-len(plain) % 4), strict_mode=True)
    except ValueError:
        raise ValueError(f"keys.{name} is not base64url") from None
