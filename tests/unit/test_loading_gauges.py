"""What an adapter lets be watched: a metric, and a fact on the readiness board."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import structlog

from adapters.webpush import WebPushAdapter
from adapters.webpush.config import WebPushConfig
from alertd.core.channels import Channels, ChannelSpec
from alertd.core.fittings import Fittings
from alertd.core.lanes import Lanes
from alertd.core.metrics import Metrics
from tests.support.clock import ManualClock


def test_a_gauge_is_a_metric_by_channel_and_name() -> None:
    metrics = Metrics()
    metrics.gauge("push", "envelopes_ready_share", 0.25)
    metrics.gauge("push", "envelopes_ready_share", 0.5)
    metrics.gauge("push", "envelopes_seconds_to_full", 7)
    lines = metrics.exposition().decode().splitlines()
    assert 'alertd_channel_gauge{channel="push",name="envelopes_ready_share"} 0.5' in lines
    assert metrics.gauges("push") == {"envelopes_ready_share": 0.5, "envelopes_seconds_to_full": 7}
    assert metrics.gauges("mail") == {}


class NoLanes:
    def ring(self, channels: Sequence[str]) -> None: ...


async def test_the_readiness_board_shows_them(tmp_path: Path) -> None:
    fit = Fittings(ManualClock(), structlog.get_logger())

    def nothing(channel: str) -> Any:
        raise OSError("this test opens no channel")

    channels = Channels(cast(Lanes, NoLanes()), fit, tools_of=nothing, renderer=lambda: cast(Any, None), state=tmp_path)
    await channels.apply([ChannelSpec("push", "webpush", cast(Any, WebPushAdapter), WebPushConfig(), "it-IT")])
    fit.metrics.gauge("push", "envelopes_ready_share", 0.5)
    assert channels.status()[0].facts["envelopes_ready_share"] == pytest.approx(0.5)
    for kept in channels._kept.values():
        assert kept.task is not None
        kept.task.cancel()
        await asyncio.gather(kept.task, return_exceptions=True)
