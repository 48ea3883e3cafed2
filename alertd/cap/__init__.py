"""Floor 2: the Common Alerting Protocol, bytes to and from an Alert. Pure: no I/O, no clock."""
