"""Floor 5: what an operator may set, validated before anything starts. Used by app and cli only."""

from alertd.settings.channels import Channel
from alertd.settings.errors import ConfigError, ConfigProblem
from alertd.settings.load import Settings, load, load_to_start
from alertd.settings.model import Api, Delivery, ServiceSettings, Store

__all__ = [
    "Api",
    "Channel",
    "ConfigError",
    "ConfigProblem",
    "Delivery",
    "ServiceSettings",
    "Settings",
    "Store",
    "load",
    "load_to_start",
]
