"""A channel whose adapter is open, as the road sees it."""

from collections.abc import Callable
from dataclasses import dataclass

from alertd.core.gate import Gate
from alertd.core.words.render import Renderer
from alertd.ports.adapter import Adapter, Traits
from alertd.ports.stores.intake import StoredAlert


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

    def may_carry(self, stored: StoredAlert, *, personal: bool) -> bool:
        """The last wall before the public: whatever was planned when the channel was configured otherwise, no drill
        goes out on a broadcast channel not marked for drills, no page to the officers on any, and no personal parcel
        is posted for all to read."""
        real, page = stored.alert.status.is_real, stored.alert.is_page
        return personal == self.traits.addressed and (real or personal or (self.exercise and not page))
