"""alertd: one alert in, every channel out, a receipt for every recipient."""

__version__ = "0.1.0"
