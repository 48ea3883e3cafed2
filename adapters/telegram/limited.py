"""Whom a 429 is meant for: one chat, or the bot. Its words do not say.

The Bot API limits a bot (about 30 messages a second), a chat (one a second) and a group (20 a minute, with waits of
up to a minute), and answers all three alike (core.telegram.org/bots/faq). The bot's own limit is kept by the core, so
a lone 429 is the chat's; holding the channel for it would let one busy group delay the whole town. That it was the
bot's shows at once: the next chat is refused too.
"""

from alertd.domain.delivery import Hold


class Limited:
    """What was said of late. Two different chats in a row, none served between them, mean the bot."""

    def __init__(self) -> None:
        self._suspect = ""

    def refused(self, chat: str) -> Hold:
        """What has to wait now that this chat was answered 429."""
        alone = self._suspect in ("", chat)
        self._suspect = chat
        return Hold.PARCEL if alone else Hold.CHANNEL

    def served(self) -> None:
        """Some chat was: the bot is free to send."""
        self._suspect = ""
