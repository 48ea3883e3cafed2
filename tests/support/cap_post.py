"""CAP documents as another system posts them, for the tests of what comes in over HTTP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from alertd.web.api.body import XML
from tests.integration.fake_house import MONTELUPO, FakeHouse

CAP12 = "urn:oasis:names:tc:emergency:cap:1.2"
SENDER = "centro@regione.example.it"
GEOCODE = "<geocode><valueName>ISTAT</valueName><value>{}</value></geocode>"
INSIDE = "<polygon>43.729,11.019 43.731,11.019 43.731,11.021 43.729,11.019</polygon>"
AT_SEA = "<polygon>42.0,9.0 42.0,9.1 42.1,9.1 42.0,9.0</polygon>"


def sent(minute: int = 0) -> str:
    return f"2026-11-22T06:{minute:02d}:00+01:00"


def name(identifier: str, minute: int = 0) -> str:
    """As references write it."""
    return f"{SENDER},{identifier},{sent(minute)}"


def info(where: str = GEOCODE.format(MONTELUPO), *, rest: str = "", headline: str = "Allerta arancione") -> str:
    area = f"<area><areaDesc>qui</areaDesc>{where}</area>" if where else ""
    return (
        "<info><language>it-IT</language><category>Met</category><event>Temporali forti</event>"
        "<urgency>Expected</urgency><severity>Severe</severity><certainty>Likely</certainty>"
        f"{rest}<headline>{escape(headline)}</headline>{area}</info>"
    )


def document(
    identifier: str = "R-1",
    msg_type: str = "Alert",
    *,
    minute: int = 0,
    status: str = "Actual",
    scope: str = "Public",
    sender: str = SENDER,
    more: str = "",
    references: Sequence[str] = (),
    infos: str | None = None,
) -> bytes:
    listed = f"<references>{' '.join(references)}</references>" if references else ""
    body = info() if infos is None and msg_type in {"Alert", "Update"} else infos or ""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<alert xmlns="{CAP12}">\n<identifier>{identifier}</identifier>\n'
        f"<sender>{sender}</sender>\n<sent>{sent(minute)}</sent>\n<status>{status}</status>\n"
        f"<msgType>{msg_type}</msgType>\n<scope>{scope}</scope>\n{more}{listed}{body}\n</alert>"
    ).encode()


@dataclass
class Desk:
    """Another system, posting to a house; `told` is who got what, by mail as it were."""

    house: FakeHouse

    async def post(
        self, data: bytes, *, who: str = "admin", content_type: str = XML[0], **headers: str
    ) -> tuple[int, dict[str, Any]]:
        dressed = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await self.house.client.post(
            "/v1/alerts",
            content=data,
            headers={
                "Authorization": f"Bearer {self.house.tokens[who]}",
                "Content-Type": content_type,
                **dressed,
            },
        )
        problem = answer.status_code >= 400
        assert answer.headers["content-type"] == ("application/problem+json" if problem else "application/json")
        return answer.status_code, answer.json()

    async def sent(self, data: bytes, **more: Any) -> str:
        """The id, once everything it queued has ended."""
        code, answer = await self.post(data, **more)
        assert code == 202, answer
        await self.house.settled(answer["id"])
        return str(answer["id"])

    async def grant(self, who: str, *scopes: str, modes: frozenset[str] | None = None) -> str:
        access = self.house.house.access
        self.house.tokens[who] = await access.create(who, frozenset(scopes), modes, actor="test")
        return who

    async def alert(self, alert_id: str) -> dict[str, Any]:
        _, answer = await self.house.call("GET", f"/v1/alerts/{alert_id}")
        return dict(answer)

    async def everything(self) -> list[str]:
        """The ids of all alerts there are, newest first."""
        _, answer = await self.house.call("GET", "/v1/alerts")
        return [item["id"] for item in answer["items"]]

    async def audited(self, action: str) -> list[dict[str, Any]]:
        _, answer = await self.house.call("GET", "/v1/audit?limit=200")
        return [item for item in answer["items"] if item["action"] == action]

    def told(self, channel: str = "people") -> list[str | None]:
        """Who was handed a message on a channel, in order."""
        return [parcel.address for parcel in self.house.providers[channel].parcels]
