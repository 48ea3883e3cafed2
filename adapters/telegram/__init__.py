"""Telegram: a post in a channel or group (broadcast), or one message per subscriber, through the Bot API."""

from adapters.telegram.adapter import TelegramAdapter

__all__ = ["TelegramAdapter"]
