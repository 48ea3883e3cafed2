"""The channels: one package each, found through the entry-point group `alertd.adapters`.

An adapter imports only `alertd.domain` and `alertd.ports`; `guard` and `exchange` are shared by those that speak
HTTP, `untrusted` by all.
"""
