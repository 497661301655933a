"""Webhooks: a client's endpoints, and the delivery of its events to them (Standard Webhooks)."""
