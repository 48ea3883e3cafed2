"""What may be configured on a Web Push channel."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, IPvAnyNetwork

from adapters.exchange import CaFile
from adapters.guard import HostList

_CONTACT = re.compile(r"mailto:[^\s<>@]+@[^\s<>@]+|https://[^\s<>]+")


def _contact(value: str) -> str:
    if value and not _CONTACT.fullmatch(value):
        raise ValueError("must be mailto:somebody@example.it or an https:// address (RFC 8292, section 2.1)")
    return value


def _readable_hosts(value: tuple[str, ...]) -> tuple[str, ...]:
    HostList(value)
    return value


class WebPushConfig(BaseModel):
    """`contact` is whom a push service may write to about our traffic; empty takes the service's sender.

    `allow_hosts` are the push services a subscription may name: `host`, `host:port` (443 if none)
    or `*.suffix`.
    `allow_private` are networks reachable although private. `timeout` is for one message, in seconds.
    `concurrency` is how many messages may be out at once, `connections` how many connections each push service gets
    at most. `rate` is messages a second for the whole channel, none for no limit of ours. `envelopes` is how many are
    kept ready for each subscription (109 bytes each): that many alerts in a row go out at full speed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    contact: Annotated[str, AfterValidator(_contact)] = ""
    allow_hosts: Annotated[tuple[str, ...], AfterValidator(_readable_hosts)] = (
        "fcm.googleapis.com",
        "updates.push.services.mozilla.com",
        "*.push.apple.com",
        "*.notify.windows.com",
    )
    allow_private: tuple[IPvAnyNetwork, ...] = ()
    ca_file: CaFile = ""
    timeout: float = Field(default=10.0, gt=0, le=120)
    concurrency: int = Field(default=4_096, ge=1, le=65_536)
    connections: int = Field(default=16, ge=1, le=64)
    envelopes: int = Field(default=1, ge=0, le=3)
    rate: float | None = Field(default=None, gt=0)
