"""Tell the officers what asks for no decision: a page on the ordinary road, once for each key."""

from alertd.core.accepting import IntakeParts
from alertd.core.paging import Paging
from alertd.core.words.notices import Notice


class Notices:
    def __init__(self, parts: IntakeParts) -> None:
        self._paging = Paging(parts)
        self._fit = parts.fittings

    async def tell(self, key: str, notice: Notice, *, after: str | None = None) -> str | None:
        """The id of the page; None, and loudly, where there is no officer to tell. However often it is called with
        one `key` (one word, printable), they are told once. `after`: the page this one replaces where the channel can.
        Raises Unavailable."""
        page = await self._paging.notice(key, notice, after)
        if page is None:
            self._fit.log.error("there is no officer to tell: enrol somebody in the cohort officers", notice=notice)
        else:
            self._fit.metrics.pages.labels("notice").inc()
        return page
