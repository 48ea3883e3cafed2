"""The `[channels.*]` of a daemon that sends to a sandbox."""

import json
from collections.abc import Mapping
from urllib.parse import urlsplit

from alertd.sandbox.description import Description

LOOPBACK = "127.0.0.0/8"
CHANNEL_OF = {"push": "push", "mail": "mail", "bot": "bot", "canale": "bot", "hook": "hook"}
"""Which stand-in carries which channel below."""

BROADCAST_CHAT = "@sandbox_town"


def channels(description: Description) -> dict[str, dict[str, object]]:
    """Every channel by name, as its TOML table reads."""
    token = {"file": description.bot_token_file}
    bot: dict[str, object] = {"adapter": "telegram", "token": token, "base_url": description.bot_base_url}
    return {
        "push": {
            "adapter": "webpush",
            "contact": "mailto:sandbox@comune.example.it",
            "allow_hosts": [urlsplit(description.push_origin).netloc],
            "allow_private": [LOOPBACK],
            "ca_file": description.ca_file,
        },
        "mail": {
            "adapter": "email",
            "host": description.mail_host,
            "port": description.mail_port,
            "tls": description.mail_tls,
            **({} if description.mail_tls == "none" else {"ca_file": description.ca_file}),
            "from": "Protezione Civile (sandbox) <allerta@comune.example.it>",
        },
        "bot": bot,
        "canale": {**bot, "chat_id": BROADCAST_CHAT, "exercise": True},
        "hook": {
            "adapter": "webhook",
            "url": description.hook_url,
            "secret": {"file": description.hook_secret_file},
            "allow_private": [LOOPBACK],
            "exercise": True,
        },
    }


def channels_toml(description: Description) -> str:
    """The same as text for `alertd.toml`."""
    return "\n".join(_table(name, table) for name, table in channels(description).items())


def _table(name: str, table: Mapping[str, object]) -> str:
    lines = (f"{key} = {_value(value)}\n" for key, value in table.items())
    return f"[channels.{name}]\n{''.join(lines)}"


def _value(value: object) -> str:
    """JSON writes strings, numbers, booleans and lists as TOML does; only a table differs."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_value(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)
