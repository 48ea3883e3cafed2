"""How a Telegram channel is configured, and which chat ids are taken."""

import re
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

_CHANNEL_NAME: Final = re.compile(r"@[A-Za-z][A-Za-z0-9_]{3,31}")
_INTEGER: Final = re.compile(r"-?[0-9]{1,16}")
_LARGEST: Final = 2**52  # "at most 52 significant bits", says the Bot API of every chat id
_TOKEN: Final = re.compile(r"[0-9]+:[A-Za-z0-9_-]+")


class TelegramConfig(BaseModel):
    """`[channels.<name>]` with `adapter = "telegram"`.

    chat_id: `@name` or the number of a channel or group makes it a broadcast channel; without it the channel is
    addressed, one message per subscriber. timeout: seconds for one request. rate: messages a second for the
    bot, all its channels together (the lowest, where they differ). Telegram allows about 30; the core never sends more
    than the next whole number within any second, so 29.5 leaves 17 ms for a network that bunches what was sent evenly.
    concurrency: requests at once for emergencies, and as many for everything else; the library is slow with many.
    proxy: an HTTP proxy's URL; the environment's is not read, so that a token never goes through one by accident.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: SecretStr
    chat_id: int | str | None = None
    base_url: str = Field(default="https://api.telegram.org/bot", pattern=r"^https?://\S+$")
    ca_file: str = ""
    proxy: str = Field(default="", pattern=r"^(https?://\S+)?$")
    timeout: float = Field(default=20.0, gt=0, le=120)
    rate: float = Field(default=29.5, gt=0, le=1000)
    concurrency: int = Field(default=8, ge=1, le=32)

    @field_validator("token")
    @classmethod
    def _token_looks_like_one(cls, value: SecretStr) -> SecretStr:
        if _TOKEN.fullmatch(value.get_secret_value()) is None:
            raise ValueError("a bot's token looks like 123456:ABC-def; it comes from @BotFather")
        return value

    @field_validator("chat_id")
    @classmethod
    def _chat_is_a_name_or_a_number(cls, value: int | str | None) -> int | str | None:
        if value is None or (isinstance(value, str) and _CHANNEL_NAME.fullmatch(value)):
            return value
        try:
            return chat_number(str(value))
        except ValueError as fault:
            raise ValueError(f"{fault}; a channel may also be named, as in @ComuneMontelupo") from None

    @field_validator("ca_file")
    @classmethod
    def _ca_file_exists(cls, value: str) -> str:
        if value and not Path(value).is_file():
            raise ValueError("no such file")
        return value


def chat_number(text: str) -> int:
    """A chat's number. ValueError says what is wrong, without repeating it."""
    text = text.strip()
    if _INTEGER.fullmatch(text) is None:
        raise ValueError("a chat id is a whole number, as in 123456789 or -1001234567890")
    number = int(text)
    if number == 0 or abs(number) >= _LARGEST:
        raise ValueError("there is no chat with that number")
    return number
