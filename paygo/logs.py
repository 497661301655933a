"""Logs: one JSON object a line, so that no input can forge a line."""

import re
from collections.abc import MutableMapping
from typing import Any

import structlog

# What opens a page to whoever knows it. Django names paths in what it says of forms and of faults.
_TOKENS = re.compile(r"/(checkout|demo|payer/open|mail/stop)/[A-Za-z0-9_:.=-]{16,}")


def _without_tokens(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Leave out tokens of links: who reads a log may not do what a payer may."""
    return {
        name: _TOKENS.sub(r"/\1/...", value) if isinstance(value, str) else value
        for name, value in event.items()
    }


_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configured(*, level: str) -> dict[str, Any]:
    """Configure structlog, and return the `LOGGING` of Django that belongs to it."""
    structlog.configure(
        processors=[*_PROCESSORS, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _PROCESSORS,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    _without_tokens,
                    structlog.processors.JSONRenderer(),
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        # An anticipated refusal is not a warning; unanticipated ones are logged with their trace.
        "loggers": {
            "django.request": {"level": "ERROR"},
            # A wrong Host header is the caller's affair; a trace for each would fill the log.
            "django.security.DisallowedHost": {"level": "CRITICAL"},
            "django.security.TooManyFieldsSent": {"level": "CRITICAL"},
        },
    }
