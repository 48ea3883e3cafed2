"""What is measured of sources and rules."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class Gauges:
    """In the registry of the daemon's other metrics."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ready = Gauge("alertd_source_ready", "1 while the source is heard", ["source"], registry=registry)
        self._silent = Gauge(
            "alertd_source_silent_seconds", "Since the source was last heard properly", ["source"], registry=registry
        )
        self.payloads = Counter(
            "alertd_source_payloads_total", "Payloads, by how they were", ["source", "outcome"], registry=registry
        )
        self.signals = Counter("alertd_source_signals_total", "Signals read", ["source"], registry=registry)
        self.violations = Counter(
            "alertd_source_violations_total", "What payloads should not have said so", ["source"], registry=registry
        )
        self.dropped = Counter(
            "alertd_source_dropped_total",
            "Messages not judged: too large, of a topic subscribed to no more, or retained readings without a time",
            ["source"],
            registry=registry,
        )
        self.restarts = Counter(
            "alertd_source_restarts_total", "Times the source's task was begun anew", ["source"], registry=registry
        )
        self.findings = Counter(
            "alertd_rule_findings_total", "What rules found", ["rule", "finding"], registry=registry
        )
        self.refused = Counter(
            "alertd_rule_refused_total", "Findings from which no alert could be made", ["rule"], registry=registry
        )

    def watch(self, source: str, silent: Callable[[], float]) -> None:
        """`silent` is asked whenever the metrics are read."""
        self._silent.labels(source).set_function(silent)

    def forget(self, source: str) -> None:
        """It is configured no more."""
        for gauge in (self._silent, self.ready):
            gauge.remove(source)
