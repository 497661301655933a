"""What each numeric setting may be, least and most, under the name that the environment has for it.

Most is what makes sense at all: what is beyond it overflows a date or a column somewhere, or stops the work.
"""

from typing import Final

_YEARS: Final = 100
_DAYS, _HOURS, _MINUTES = _YEARS * 366, _YEARS * 366 * 24, _YEARS * 366 * 24 * 60
_YEAR_S = 366 * 24 * 3600
_MAX_INT = 2**31 - 1
# Longer than this the running total of the dearest rate would not fit BIGINT (billing.sql.amount).
_SESSION_HOURS = 100 * 24
# How long a task may work before it is stopped.
_TASK_S = 570

BOUNDS: Final[dict[str, tuple[float, float]]] = {
    # A pool of more connections than a server of PostgreSQL has for all.
    "PAYGO_DB_POOL": (0, 1_000),
    "PAYGO_DB_PREPARE_AFTER": (0, _MAX_INT),
    "PAYGO_LOCK_TIMEOUT_MS": (1, _MAX_INT),
    "PAYGO_STATEMENT_TIMEOUT_MS": (1, _MAX_INT),
    # How often something is done.
    "BILLING_INTERVAL_SECONDS": (1, _YEAR_S),
    "DEPOSIT_SCAN_SECONDS": (1, _YEAR_S),
    "EXPIRY_SWEEP_SECONDS": (1, _YEAR_S),
    "REFUND_ROUND_SECONDS": (1, _YEAR_S),
    "PAYOUT_SWEEP_SECONDS": (1, _YEAR_S),
    "RECONCILE_SECONDS": (1, _YEAR_S),
    "STATISTICS_SECONDS": (1, _YEAR_S),
    "AUDIT_UPKEEP_SECONDS": (1, _YEAR_S),
    "EVENT_ROUND_SECONDS": (1, _YEAR_S),
    "NOTICE_ROUND_SECONDS": (1, _YEAR_S),
    "ETHEREUM_COLLECT_SECONDS": (1, _YEAR_S),
    "ETHEREUM_REPLACE_SECONDS": (1, _YEAR_S),
    # How long an answer is waited for, and how old it may be.
    "ZCASH_RPC_TIMEOUT_SECONDS": (0.001, _TASK_S),
    "ETHEREUM_RPC_TIMEOUT_SECONDS": (0.001, _TASK_S),
    "WEBHOOK_TIMEOUT_SECONDS": (0.001, _TASK_S),
    "WEBHOOK_LOG_RETENTION_DAYS": (1, _DAYS),
    "NOTIFY_EMAIL_RETENTION_DAYS": (1, _DAYS),
    "BALANCE_CACHE_SECONDS": (0, _YEAR_S),
    # Permissions and sessions.
    "DEFAULT_PERMISSION_DURATION_DAYS": (1, _DAYS),
    "MAX_PERMISSION_DURATION_DAYS": (1, _DAYS),
    "PERMISSION_PAYMENT_WINDOW_HOURS": (1, _HOURS),
    # Longer than a session may last, nobody could start one.
    "MIN_START_SECONDS": (0, _SESSION_HOURS * 3600),
    "MAX_SESSION_HOURS": (1, _SESSION_HOURS),
    # A year: what is paused for longer has been forgotten.
    "MAX_PAUSE_HOURS": (1, 366 * 24),
    "MAX_SESSIONS_PER_WALLET": (1, _MAX_INT),
    # A page of the interval is one statement and one transaction: a larger one would hold its locks long.
    "BILLING_CHUNK_SIZE": (1, 100_000),
    "AUDIT_SETTLEMENT_RETENTION_DAYS": (1, _DAYS),
    # Refunds and payouts.
    "REFUND_CONFIRMATIONS": (1, _MAX_INT),
    "REFUND_ADDRESS_DELAY_HOURS": (0, _HOURS),
    "APPROVAL_ACCOUNT_AGE_HOURS": (0, _HOURS),
    "APPROVAL_INDEPENDENT_DAYS": (0, _DAYS),
    "PAYOUT_HOLD_HOURS": (0, _HOURS),
    # The chains.
    "ZCASH_MIN_CONFIRMATIONS": (1, _MAX_INT),
    "MAX_REVERSALS_PER_PASS": (1, _MAX_INT),
    "ETHEREUM_COLLECT_GRACE_HOURS": (1, _HOURS),
    "ETHEREUM_PERMITS_PER_CLIENT_DAY": (0, _MAX_INT),
    # The API, streams and webhooks; STREAM_LIMIT bounds STREAM_LIMIT_PER_CLIENT.
    "API_MAX_BODY_BYTES": (1, _MAX_INT),
    "STREAM_LIMIT": (0, 1_000_000),
    "STREAM_HEARTBEAT_SECONDS": (1, _YEAR_S),
    "MAX_WEBHOOK_ENDPOINTS": (1, _MAX_INT),
    # Logins.
    "LOGIN_FAILURE_LIMIT": (1, _MAX_INT),
    "LOGIN_LOCKOUT_MINUTES": (1, _MINUTES),
    "LOGIN_NAME_FAILURE_LIMIT": (1, _MAX_INT),
    "LOGIN_TRIES_PER_MINUTE": (1, _MAX_INT),
}

# What the settings call them, where that is another name.
NAMES: Final = {
    "PAYGO_DB_POOL": "DATABASE_POOL_SIZE",
    "PAYGO_DB_PREPARE_AFTER": "DATABASE_PREPARE_AFTER",
    "PAYGO_LOCK_TIMEOUT_MS": "LOCK_TIMEOUT_MS",
    "PAYGO_STATEMENT_TIMEOUT_MS": "STATEMENT_TIMEOUT_MS",
    "LOGIN_FAILURE_LIMIT": "AXES_FAILURE_LIMIT",
}
