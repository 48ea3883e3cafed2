"""CAP's namespaces, elements in their order, and the words of its enumerations, of all three versions.

The order is that of OASIS CAP-v1.2's schema, which keeps that of 1.1 and 1.0; `password`, which only 1.0 has, stands
where it had it.
"""

from enum import StrEnum
from typing import Final, TypeVar

from alertd.domain.alert import Category, Certainty, ResponseType, Severity, Urgency

VERSIONS: Final = {
    "urn:oasis:names:tc:emergency:cap:1.2": "1.2",
    "urn:oasis:names:tc:emergency:cap:1.1": "1.1",
    "http://www.incident.com/cap/1.0": "1.0",
    "urn:oasis:names:tc:emergency:cap:1.0": "1.0",
    "": "1.2",
}
"""Namespace to version. None at all is a fault, and what stands there is read as 1.2."""

LATEST: Final = "1.2"
DSIG: Final = "http://www.w3.org/2000/09/xmldsig#"
SIGNATURE: Final = f"{{{DSIG}}}Signature"
DEFAULT_LANGUAGE: Final = "en-US"
"""What the schema says an info without a language speaks."""

ALERT: Final = (
    *("identifier", "sender", "sent", "status", "msgType", "password", "source", "scope", "restriction"),
    *("addresses", "code", "note", "references", "incidents", "info"),
)
INFO: Final = (
    *("language", "category", "event", "responseType", "urgency", "severity", "certainty", "audience"),
    *("eventCode", "effective", "onset", "expires", "senderName", "headline", "description", "instruction"),
    *("web", "contact", "parameter", "resource", "area"),
)
RESOURCE: Final = ("resourceDesc", "mimeType", "size", "uri", "derefUri", "digest")
AREA: Final = ("areaDesc", "polygon", "circle", "geocode", "altitude", "ceiling")

_E = TypeVar("_E", bound=StrEnum)


def words(kind: type[_E]) -> dict[str, _E]:
    """Its members by the very text CAP writes."""
    return {member.value: member for member in kind}


CATEGORIES: Final = words(Category)
RESPONSES: Final = words(ResponseType)
URGENCIES: Final = words(Urgency)
SEVERITIES: Final = words(Severity)
CERTAINTIES: Final = words(Certainty)
VERY_LIKELY: Final = "Very Likely"
"""Certainty of 1.0 and deprecated since: to be read as Likely (CAP 1.2, 3.2.2, certainty)."""


def local(tag: str) -> str:
    """The name of an element without its namespace."""
    return tag.rpartition("}")[2]


def namespace_of(tag: str) -> str:
    return tag[1:].partition("}")[0] if tag.startswith("{") else ""
