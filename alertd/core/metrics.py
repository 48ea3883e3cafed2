"""What is measured, in one place. Own registry: two daemons in one process do not share counters."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from alertd.domain.delivery import Accepted, Delivered, Verdict
from alertd.ports.stores.reports import LaneDepth

_LATENCY = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)


class Metrics:
    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.accept = Histogram(
            "alertd_accept_seconds",
            "From the parsed request to the durable alert",
            buckets=_LATENCY,
            registry=registry,
        )
        self.first_attempt = Histogram(
            "alertd_first_attempt_seconds",
            "From acceptance to the first attempt on a channel",
            ["channel"],
            buckets=_LATENCY,
            registry=registry,
        )
        self.attempts = Counter(
            "alertd_attempts_total",
            "Attempts by channel, verdict and reason",
            ["channel", "verdict", "reason"],
            registry=registry,
        )
        self.fenced = Counter("alertd_fenced_total", "Verdicts that came after their lease was lost", registry=registry)
        self.settle_batch = Histogram(
            "alertd_settle_batch_size", "Receipts per group commit", buckets=_SIZES, registry=registry
        )
        self.alerts = Counter(
            "alertd_alerts_total", "Alerts accepted", ["purpose", "status", "msg_type"], registry=registry
        )
        self.pages = Counter(
            "alertd_pages_total",
            "Pages to the officers: first, reminder, together, ending, notice",
            ["kind"],
            registry=registry,
        )
        self.drafts_waiting = Gauge(
            "alertd_drafts_waiting", "Drafts of rules that wait for a decision", registry=registry
        )
        self.drafts_unpaged = Gauge(
            "alertd_drafts_unpaged", "Those of them for which there is no officer to page", registry=registry
        )
        self.channel_ready = Gauge(
            "alertd_channel_ready", "1 while the channel could send", ["channel"], registry=registry
        )
        self._channel_gauge = Gauge(
            "alertd_channel_gauge", "What a channel's adapter lets be watched", ["channel", "name"], registry=registry
        )
        self._gauges: defaultdict[str, dict[str, float]] = defaultdict(dict)
        self._depth = Gauge(
            "alertd_lane_depth", "Deliveries waiting in a lane", ["channel", "priority"], registry=registry
        )
        self._oldest = Gauge(
            "alertd_lane_oldest_seconds",
            "Age of the oldest waiting delivery",
            ["channel", "priority"],
            registry=registry,
        )

    def attempt(self, channel: str, verdict: Verdict, count: int = 1) -> None:
        reason = "" if isinstance(verdict, Accepted | Delivered) else verdict.reason
        self.attempts.labels(channel, type(verdict).__name__.lower(), reason).inc(count)

    def gauge(self, channel: str, name: str, value: float) -> None:
        """What an adapter says of its channel, e.g. the share of something that is ready."""
        self._channel_gauge.labels(channel, name).set(value)
        self._gauges[channel][name] = value

    def gauges(self, channel: str) -> Mapping[str, float]:
        """The latest value of each of the channel's gauges."""
        return dict(self._gauges.get(channel, {}))

    def lanes(self, depths: Iterable[LaneDepth], now: datetime) -> None:
        """Replace the lane gauges by what the store counts now."""
        self._depth.clear()
        self._oldest.clear()
        for lane in depths:
            self._depth.labels(lane.channel, lane.priority).set(lane.depth)
            age = (now - lane.oldest).total_seconds() if lane.oldest else 0.0
            self._oldest.labels(lane.channel, lane.priority).set(max(0.0, age))

    def exposition(self) -> bytes:
        """The Prometheus text format."""
        return generate_latest(self.registry)
