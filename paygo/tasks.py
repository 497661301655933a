"""Celery shells of what belongs to no app above the kernel; doubled or late ones do no harm."""

from typing import Any

from celery import shared_task

from core import rounds


@shared_task(name="core.event_round")
def event_round(**_: Any) -> None:
    rounds.event_round()
