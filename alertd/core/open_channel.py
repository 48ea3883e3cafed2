"""A channel whose adapter is open, as the road sees it."""

from collections.abc import Callable
from dataclasses import dataclass

from alertd.core.gate import Gate
from alertd.core.words.render import Renderer
from alertd.ports.adapter import Adapter, Traits
from alertd.ports.stores import Claimed, StoredAlert


@dataclass(frozen=True, slots=True)
class OpenChannel:
    """A channel whose adapter is open. `exercise` marks a broadcast channel that drills may use."""

    name: str
    adapter_name: str
    adapter: Adapter
    traits: Traits
    gate: Gate
    renderer: Callable[[], Renderer]
    language: str
    exercise: bool

    def may_carry(self, stored: StoredAlert, row: Claimed) -> bool:
        """The last wall before the public: whatever was planned when the channel was configured otherwise, no drill
        goes out on a broadcast channel not marked for drills, and no personal parcel is posted for all to read."""
        broadcast = not self.traits.addressed
        real = stored.alert.status.is_real
        return broadcast == (row.endpoint_id == 0) and (real or not broadcast or self.exercise)
