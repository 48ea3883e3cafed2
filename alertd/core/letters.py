"""What many pages share: the alert and its rendered messages, kept for as long as they are being sent."""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from typing import TypeVar

from alertd.core.open_channel import OpenChannel
from alertd.core.words.render import Renderer
from alertd.domain.alert import last_expiry
from alertd.domain.blocks import infos_for
from alertd.ports.adapter import Adapter, Message
from alertd.ports.stores.intake import StoredAlert
from alertd.ports.stores.reports import ReportStore

_MOST = 256
K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Letters:
    """Small bounded caches; a miss only costs the work again."""

    def __init__(self, reports: ReportStore) -> None:
        self._reports = reports
        self._alerts: OrderedDict[str, StoredAlert] = OrderedDict()
        self._reading: dict[str, asyncio.Future[StoredAlert]] = {}
        self._messages: OrderedDict[tuple[Adapter, Renderer, str, str, int], Message] = OrderedDict()
        self._begun: OrderedDict[tuple[str, str], None] = OrderedDict()

    async def alert(self, alert_id: str) -> StoredAlert:
        """Raises NotFound, Unavailable."""
        stored = self._alerts.get(alert_id)
        if stored is not None:
            return stored
        reading = self._reading.get(alert_id)
        if reading is None:  # the first of many channels reads it for all of them
            reading = self._reading[alert_id] = asyncio.ensure_future(self._reports.get_alert(alert_id))
            reading.add_done_callback(lambda _: self._reading.pop(alert_id, None))
        return _keep(self._alerts, alert_id, await asyncio.shield(reading))

    def keep(self, stored: StoredAlert) -> None:
        """What was just stored need not be read."""
        _keep(self._alerts, stored.alert.id, stored)

    def message(self, channel: OpenChannel, stored: StoredAlert, *, language: str, blocks: int) -> Message:
        """Rendered once per open channel, alert, language and blocks.

        Its deadline is that of the Infos it tells, where they end before the alert does.
        """
        renderer = channel.renderer()
        key = (channel.adapter, renderer, stored.alert.id, language, blocks)
        message = self._messages.get(key)
        if message is not None:
            return message
        ends = last_expiry(infos_for(stored.alert, blocks, language, ()))
        notice = renderer.notice(
            stored.alert,
            channel=channel.name,
            adapter=channel.adapter_name,
            language=language or channel.language,
            blocks=blocks,
            deadline=min(ends, stored.deadline) if ends is not None else stored.deadline,
            root=stored.ancestors[-1] if stored.ancestors else stored.alert.identifier,
        )
        return _keep(self._messages, key, channel.adapter.render(notice))

    def first_on(self, channel: str, alert_id: str) -> bool:
        """Whether this is the first page of the alert on the channel."""
        key = (alert_id, channel)
        if key in self._begun:
            return False
        _keep(self._begun, key, None)
        return True


def _keep(cache: "OrderedDict[K, V]", key: K, value: V) -> V:
    cache[key] = value
    if len(cache) > _MOST:
        cache.popitem(last=False)
    return value
