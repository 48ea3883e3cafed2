"""`/subscribe`: a page, a form for mail with double opt-in, and JSON from the page's script for web push.

The answer to a form is the same whether the address is known or not, confirmed or not, asked a minute ago or not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs

import orjson
from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from alertd.core.citizens.links import Wish
from alertd.core.citizens.subscriber_form import SubscriberForm, form_of, read
from alertd.domain.alert import WHOLE_TERRITORY, Purpose, Severity
from alertd.domain.problems import Invalid, Problem
from alertd.web.problems import problem
from alertd.web.public.language import chosen
from alertd.web.public.site import Refused, Site
from alertd.web.public.visitor import is_foreign

MOST_BYTES: Final = 16 * 1024
MOST_ZONES: Final = 20
"""More named zones than this would not fit into a link; "the whole territory" does."""

SEVERITIES: Final = (Severity.MINOR, Severity.MODERATE, Severity.SEVERE, Severity.EXTREME)
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Ways:
    """How a citizen may subscribe here: names of channels, empty where there is none."""

    push: str
    push_key: str
    mail: str


@dataclass(frozen=True, slots=True)
class Choice:
    """What the form holds, as it was filled in."""

    email: str = ""
    language: str = ""
    zones: tuple[str, ...] = ()
    purposes: tuple[str, ...] = (Purpose.EMERGENCY.value,)
    min_severity: str = Severity.MINOR.value


def add(router: APIRouter, site: Site) -> None:
    @router.api_route("/subscribe", methods=["GET", "HEAD"])
    async def show(request: Request) -> Response:
        return _form(site, request, Choice(language=_nearest(site, request)))

    @router.post("/subscribe")
    async def take(request: Request) -> Response:
        if is_foreign(request, site.services.service().public_url):
            raise Refused(403, "foreign")
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        raw = await read_body(request)
        return await (_push(site, raw) if kind == _JSON else _mail(site, request, raw))


async def read_body(request: Request) -> bytes:
    """At most 16 KiB. Raises Refused."""
    raw = bytearray()
    try:
        async for chunk in request.stream():
            raw += chunk
            if len(raw) > MOST_BYTES:
                raise Refused(413, "bad")
    except ClientDisconnect:
        raise Refused(400, "bad") from None
    return bytes(raw)


def ways(site: Site) -> Ways:
    """The first addressed web push and mail channels; mail only where a link in it could lead back here."""
    channels = site.services.channels
    named = {channels.adapter_of(name): name for name in reversed(channels.addressed())}
    push, key = named.get("webpush", ""), ""
    if push:
        try:
            key = channels.public_facts(push).get("applicationServerKey", "")
        except (ValueError, OSError):  # its key cannot be read; the readiness board tells the operator
            key = ""
    mail = named.get("email", "") if site.services.service().public_url else ""
    return Ways(push if key else "", key, mail)


# --- mail ---


async def _mail(site: Site, request: Request, raw: bytes) -> Response:
    choice, channel = _choice(raw), ways(site).mail
    if not channel:
        raise Refused(404, "missing")
    wish = Wish(channel, choice.email, choice.language, choice.zones, choice.purposes, choice.min_severity)
    try:
        checked = site.services.subscribers.check(form_of(wish))
    except Invalid as invalid:
        return _form(site, request, choice, _faults(invalid.problems), status=422)
    if len(checked.preference.zones) > MOST_ZONES:
        return _form(site, request, choice, ("many_zones",), status=422)
    if wait := site.optin.crowded():
        raise Refused(429, "slow", retry_after=wait)
    canonical = Wish(
        channel,
        checked.endpoints[0].address,
        checked.preference.language,
        checked.preference.zones,
        choice.purposes,
        choice.min_severity,
    )
    answer = site.say(request, "mail_sent", 202)
    answer.background = BackgroundTask(site.optin.invite, canonical)
    return answer


def _choice(raw: bytes) -> Choice:
    try:
        fields = parse_qs(raw.decode("ascii"), max_num_fields=1_000, errors="strict")
    except ValueError:
        raise Refused(400, "bad") from None
    zones = tuple(fields.get("zones", ()))
    return Choice(
        email=fields.get("email", [""])[0].strip(),
        language=fields.get("language", [""])[0],
        zones=(WHOLE_TERRITORY,) if WHOLE_TERRITORY in zones else zones,
        purposes=tuple(dict.fromkeys(fields.get("purposes", ()))),
        min_severity=fields.get("min_severity", [Severity.MINOR.value])[0],
    )


def _faults(problems: Sequence[Problem]) -> tuple[str, ...]:
    """Which questions of the form were answered wrongly, in the order of the page."""
    wrong = {problem.loc[0] if problem.loc else "" for problem in problems}
    known = [
        name for loc, name in (("zones", "zones"), ("purposes", "purposes"), ("endpoints", "email")) if loc in wrong
    ]
    return (*known, "other") if wrong - {"zones", "purposes", "endpoints"} else tuple(known)


# --- web push ---


async def _push(site: Site, raw: bytes) -> Response:
    channel = ways(site).push
    if not channel:
        return problem(404, "web push is not available here")
    try:
        form = _push_form(orjson.loads(raw), channel)
        endpoint = await site.services.subscribers.enrol(form, source="web")
    except orjson.JSONDecodeError:
        return problem(400, "this is not JSON")
    except Invalid as invalid:
        return problem(422, "the request cannot be taken as it is", errors=invalid.problems)
    leave = f"/unsubscribe/{site.services.links.unsubscribe_token(endpoint)}"
    return Response(orjson.dumps({"unsubscribe": leave}), 201, {"Cache-Control": "no-store"}, _JSON)


def _push_form(given: Any, channel: str) -> SubscriberForm:
    """The form behind the script's JSON; only these fields, and always the public cohort. Raises Invalid."""
    if not isinstance(given, dict):
        raise Invalid(Problem((), "a JSON object is expected"))
    taken = ("language", "zones", "purposes", "min_severity")
    fields = {name: given[name] for name in taken if name in given}
    endpoint = {"channel": channel, "subscription": given.get("subscription")}
    return read(SubscriberForm, {**fields, "endpoints": [endpoint]})


# --- the page ---


def _form(site: Site, request: Request, choice: Choice, faults: tuple[str, ...] = (), *, status: int = 200) -> Response:
    service = site.services.service()
    zones = [(zone.code, zone.name) for zone in site.services.territory().zones]
    return site.html(
        request,
        "subscribe.html",
        status,
        ways=ways(site),
        zones=zones,
        tags=service.languages,
        purposes=[purpose.value for purpose in Purpose],
        severities=[severity.value for severity in SEVERITIES],
        choice=choice,
        faults=faults,
    )


def _nearest(site: Site, request: Request) -> str:
    """The service's language nearest to the page's."""
    tags = site.services.service().languages
    return next((tag for tag in tags if tag.lower().startswith(chosen(request))), tags[0])
