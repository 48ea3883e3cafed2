"""Floor 3: the configured zones and what a drawn shape selects of them. Only here is shapely used."""

from alertd.territory.load import ZoneFileError, load_territory
from alertd.territory.mapped import MappedTerritory

__all__ = ["MappedTerritory", "ZoneFileError", "load_territory"]
