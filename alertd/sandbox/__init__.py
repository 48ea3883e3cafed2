"""Floor 4: local stand-ins of the providers, loopback only, with faults on demand.

They are honest (they verify what they get as the real ones do) and they count, so that a drill can compare
the daemon's receipts with what really arrived.
"""
