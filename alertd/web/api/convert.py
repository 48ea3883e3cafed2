"""Between the words on the wire and the domain's values. Pure."""

from urllib.parse import quote

from alertd.core.report import Receipts
from alertd.core.submission import Submission
from alertd.domain.alert import Alert, Area, Info, MsgType, Pair, Resource
from alertd.domain.delivery import State
from alertd.ports.stores.intake import StoredAlert
from alertd.ports.stores.reports import Tally
from alertd.web.api import answers
from alertd.web.api.schemas import AlertIn, AreaIn, InfoIn, PairIn, ResourceIn


def submission_of(body: AlertIn, msg_type: MsgType, language: str) -> Submission:
    """`language` is meant where an Info names none."""
    return Submission(
        purpose=body.purpose,
        status=body.status,
        msg_type=msg_type,
        scope=body.scope,
        info=infos_of(body.info, language),
        channels=body.channels,
        source=body.source,
        restriction=body.restriction,
        addresses=body.addresses,
        note=body.note,
        incidents=body.incidents,
        code=body.code,
    )


def infos_of(infos: tuple[InfoIn, ...], language: str) -> tuple[Info, ...]:
    return tuple(_info_of(info, language) for info in infos)


def links_of(alert_id: str, public_url: str) -> dict[str, str]:
    """Paths for the API, so that they hold behind any proxy; the public page in full where its URL is known."""
    path = f"/v1/alerts/{quote(alert_id, safe='')}"
    return {
        "self": path,
        "receipts": f"{path}/receipts",
        "events": f"{path}/events",
        "cap": f"{path}/cap",
        "page": f"{public_url}/alerts/{quote(alert_id, safe='')}",
    }


def alert_answer(stored: StoredAlert, public_url: str) -> answers.AlertAnswer:
    alert: Alert = stored.alert
    return answers.AlertAnswer(
        id=alert.id,
        identifier=alert.identifier,
        sender=alert.sender,
        sent=alert.sent,
        state=stored.state,
        accepted_at=stored.accepted_at,
        settled_at=stored.settled_at,
        created_by=stored.created_by,
        decided_by=stored.decided_by,
        reject_reason=stored.reject_reason,
        references=[str(reference) for reference in alert.references],
        followed_by=stored.followed_by,
        purpose=alert.purpose,
        status=alert.status,
        msg_type=alert.msg_type,
        scope=alert.scope,
        channels=None if alert.channels is None else list(alert.channels),
        source=alert.source,
        restriction=alert.restriction,
        addresses=alert.addresses,
        code=list(alert.code),
        note=alert.note,
        incidents=alert.incidents,
        info=[_info_answer(info) for info in alert.info],
        links=answers.Links(**links_of(alert.id, public_url)),
    )


def receipts_answer(receipts: Receipts) -> answers.ReceiptsAnswer:
    return answers.ReceiptsAnswer(
        alert_id=receipts.alert_id,
        state=receipts.state,
        accepted_at=receipts.accepted_at,
        first_attempt_at=receipts.first_attempt_at,
        settled_at=receipts.settled_at,
        channels=[_channel_receipts(tally) for tally in receipts.channels],
    )


def _channel_receipts(tally: Tally) -> answers.ChannelReceipts:
    count = {state: tally.states.get(state, 0) for state in State}
    return answers.ChannelReceipts(
        channel=tally.channel,
        adapter=tally.adapter,
        provable=tally.provable,
        total=sum(count.values()),
        queued=count[State.QUEUED],
        sending=count[State.SENDING],
        retrying=count[State.RETRYING],
        accepted=count[State.ACCEPTED],
        delivered=count[State.DELIVERED],
        seen=count[State.SEEN],
        acknowledged=count[State.ACKNOWLEDGED],
        failed=count[State.FAILED],
        gone=count[State.GONE],
        expired=count[State.EXPIRED],
        superseded=count[State.SUPERSEDED],
        attempts=tally.attempts,
        first_attempt_at=tally.first_attempt_at,
        last_settled_at=tally.last_settled_at,
        p50_ms=tally.p50_ms,
        p99_ms=tally.p99_ms,
    )


def _info_of(info: InfoIn, language: str) -> Info:
    return Info(
        language=info.language or language,
        category=info.category,
        event=info.event,
        urgency=info.urgency,
        severity=info.severity,
        certainty=info.certainty,
        response_type=info.response_type,
        audience=info.audience,
        event_code=_pairs_of(info.event_code),
        effective=info.effective,
        onset=info.onset,
        expires=info.expires,
        sender_name=info.sender_name,
        headline=info.headline,
        description=info.description,
        instruction=info.instruction,
        web=info.web,
        contact=info.contact,
        parameter=_pairs_of(info.parameter),
        resource=tuple(_resource_of(resource) for resource in info.resource),
        area=tuple(_area_of(area) for area in info.area),
    )


def _area_of(area: AreaIn) -> Area:
    """A named zone's description is filled in where the territory is known, not here."""
    return Area(
        area_desc=area.area_desc or "",
        zones=() if area.zone is None else (area.zone,),
        polygons=area.polygon,
        circles=area.circle,
        geocodes=_pairs_of(area.geocode),
        altitude=area.altitude,
        ceiling=area.ceiling,
    )


def _resource_of(resource: ResourceIn) -> Resource:
    return Resource(
        resource_desc=resource.resource_desc,
        mime_type=resource.mime_type,
        size=resource.size,
        uri=resource.uri,
        deref_uri=resource.deref_uri,
        digest=resource.digest,
    )


def _pairs_of(pairs: tuple[PairIn, ...]) -> tuple[Pair, ...]:
    return tuple(Pair(pair.value_name, pair.value) for pair in pairs)


def _info_answer(info: Info) -> answers.Info:
    return answers.Info(
        language=info.language,
        category=list(info.category),
        event=info.event,
        response_type=list(info.response_type),
        urgency=info.urgency,
        severity=info.severity,
        certainty=info.certainty,
        audience=info.audience,
        event_code=_pair_answers(info.event_code),
        effective=info.effective,
        onset=info.onset,
        expires=info.expires,
        sender_name=info.sender_name,
        headline=info.headline,
        description=info.description,
        instruction=info.instruction,
        web=info.web,
        contact=info.contact,
        parameter=_pair_answers(info.parameter),
        resource=[_resource_answer(resource) for resource in info.resource],
        area=[_area_answer(area) for area in info.area],
    )


def _area_answer(area: Area) -> answers.Area:
    return answers.Area(
        zone=area.zones[0] if len(area.zones) == 1 else None,
        zones=list(area.zones),
        area_desc=area.area_desc,
        polygon=[str(polygon) for polygon in area.polygons],
        circle=[str(circle) for circle in area.circles],
        geocode=_pair_answers(area.geocodes),
        altitude=area.altitude,
        ceiling=area.ceiling,
    )


def _resource_answer(resource: Resource) -> answers.Resource:
    return answers.Resource(
        resource_desc=resource.resource_desc,
        mime_type=resource.mime_type,
        size=resource.size,
        uri=resource.uri,
        deref_uri=resource.deref_uri,
        digest=resource.digest,
    )


def _pair_answers(pairs: tuple[Pair, ...]) -> list[answers.Pair]:
    return [answers.Pair(value_name=pair.value_name, value=pair.value) for pair in pairs]
