"""A source that is heard from an MQTT broker: `wire` is the codec, `link` one connection, `listener` the source."""
