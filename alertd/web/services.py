"""What the web floor is given: the core's verbs, nothing of how they are built."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from alertd.cap.trust import NOBODY, Trust
from alertd.core.access import Access
from alertd.core.approve import Approvals
from alertd.core.channels import Channels
from alertd.core.citizens.links import Links
from alertd.core.citizens.subscribe import Subscribers
from alertd.core.intake import Intake
from alertd.core.metrics import Metrics
from alertd.core.peers import Peers
from alertd.core.preview import Previews
from alertd.core.report import Reports
from alertd.ports.adapter import Service
from alertd.ports.clock import Clock
from alertd.ports.source import NO_SOURCES, Sources
from alertd.ports.territory import Territory
from alertd.web.documents import Documents


@dataclass(frozen=True, slots=True)
class FeedTerms:
    """`past` is how long a feed keeps what is over; while it has fewer than `limit` entries."""

    past: timedelta = timedelta(days=7)
    limit: int = 1_000


@dataclass(frozen=True, slots=True)
class Services:
    """`service`, `territory`, `feeds` and `trust` (in the signatures of peers' documents) are asked each time, since
    SIGHUP may change them.

    `ready` says whether the daemon takes work (False while it stops or the store is refusing), with the reason;
    `concerns` what an operator must see to meanwhile.
    `trust_forwarded`: a proxy of ours is in front and writes X-Forwarded-For.
    """

    clock: Clock
    service: Callable[[], Service]
    territory: Callable[[], Territory]
    intake: Intake
    peers: Peers
    approvals: Approvals
    reports: Reports
    previews: Previews
    channels: Channels
    subscribers: Subscribers
    access: Access
    links: Links
    metrics: Metrics
    ready: Callable[[], tuple[bool, str]]
    trust_forwarded: bool = False
    concerns: Callable[[], Sequence[str]] = tuple
    feeds: Callable[[], FeedTerms] = FeedTerms
    documents: Documents = field(default_factory=Documents)
    sources: Sources = NO_SOURCES
    trust: Callable[[], Trust] = lambda: NOBODY
