"""Celery shells: beat triggers them; doubled or late ones do no harm."""

from typing import Any

from celery import shared_task

from billing import rounds


@shared_task(name="billing.run_interval")
def run_interval(**_: Any) -> None:
    rounds.interval_round()


@shared_task(name="billing.run_expiry")
def run_expiry(**_: Any) -> None:
    rounds.expiry_round()


@shared_task(name="billing.run_refunds")
def run_refunds(**_: Any) -> None:
    rounds.refund_round()


@shared_task(name="billing.queue_payouts")
def queue_payouts(**_: Any) -> None:
    rounds.payout_sweep()


@shared_task(name="billing.reconcile")
def reconcile(**_: Any) -> None:
    rounds.reconcile_round()


@shared_task(name="billing.run_notices")
def run_notices(**_: Any) -> None:
    rounds.notice_round()


@shared_task(name="billing.keep_history")
def keep_history(**_: Any) -> None:
    rounds.history_round()


@shared_task(name="billing.keep_statistics")
def keep_statistics(**_: Any) -> None:
    rounds.statistics_round()


@shared_task(name="billing.scan_deposits")
def scan_deposits(**_: Any) -> None:
    rounds.deposit_round()
