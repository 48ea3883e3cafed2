"""E-mail: one message per subscriber, through the municipality's own relay (RFC 5321, RFC 5322)."""

from adapters.email.adapter import EmailAdapter

__all__ = ["EmailAdapter"]
