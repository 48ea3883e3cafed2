"""A webhook: the alert as signed JSON to one address of another system (Standard Webhooks)."""

from adapters.webhook.adapter import WebhookAdapter

__all__ = ["WebhookAdapter"]
