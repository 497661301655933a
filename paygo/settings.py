"""Django settings of PayGo, read from the environment; docs/settings.md lists every variable.

A missing value has a default that is safe on a laptop; a wrong one stops the start with its name.
`paygo.checks` refuses combinations that are unsafe in production.
"""

from datetime import timedelta
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

from paygo import logs
from paygo.environment import load_environment

BASE_DIR = Path(__file__).resolve().parent.parent
load_environment(BASE_DIR)


class _Env(environ.Env):  # type: ignore[misc]
    """Reads the environment, and names the variable whose value cannot be read."""

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().get_value(var, *args, **kwargs)
        except ValueError as error:
            raise ImproperlyConfigured(f"{var} cannot be read: {error}") from error


env = _Env()

# -- The service ------------------------------------------------------------------------------------
DEBUG = env.bool("PAYGO_DEBUG", default=False)
SECRET_KEY = env.str("PAYGO_SECRET_KEY", default="")
ALLOWED_HOSTS = env.list("PAYGO_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("PAYGO_CSRF_TRUSTED_ORIGINS", default=[])
PAYGO_SANDBOX = env.bool("PAYGO_SANDBOX", default=False)
# Under whose name /demo/ runs, on a simulated node alone; without one there is no demo.
PAYGO_DEMO_CLIENT = env.str("PAYGO_DEMO_CLIENT", default="")
# The URL under which problem documents and pages name this service.
PAYGO_URL = env.str("PAYGO_URL", default="http://127.0.0.1:8080").rstrip("/")

ROOT_URLCONF = "paygo.urls"
WSGI_APPLICATION = "paygo.wsgi.application"
AUTH_USER_MODEL = "core.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
USE_I18N = True
# Texts of pages are marked for translation; English is what they are written in.
LANGUAGES = [("en", "English")]
LOCALE_PATHS = [BASE_DIR / "locale"]

INSTALLED_APPS = [
    "core",
    "zcash",
    "sessions_app",
    "billing",
    "paygo",
    "paygo.api",
    "paygo.pages",
    "unfold",
    "unfold.contrib.filters",
    "paygo.backoffice.apps.BackofficeConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_celery_beat",
    "axes",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]

MIDDLEWARE = [
    "paygo.api.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "paygo.middleware.SessionsOfPages",
    "django.middleware.common.CommonMiddleware",
    "paygo.middleware.FormsOfPages",
    "paygo.middleware.LoginsOfPages",
    "paygo.middleware.MessagesOfPages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "paygo.middleware.PoliciesOfPages",
    "paygo.backoffice.logins.LoginGate",
]

TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# Files are served from the packages themselves, so that `make run` needs no collectstatic.
WHITENOISE_USE_FINDERS = True

# -- PostgreSQL -------------------------------------------------------------------------------------
# Requests give up early; the engine sets its own limits per statement.
LOCK_TIMEOUT_MS = env.int("PAYGO_LOCK_TIMEOUT_MS", default=3_000)
STATEMENT_TIMEOUT_MS = env.int("PAYGO_STATEMENT_TIMEOUT_MS", default=30_000)
DATABASE_PREPARE_AFTER = env.int("PAYGO_DB_PREPARE_AFTER", default=2)
DATABASES: dict[str, dict[str, Any]] = {
    "default": {
        **env.db("DATABASE_URL", default="postgresql://paygo@127.0.0.1:5432/paygo"),
        "ATOMIC_REQUESTS": False,
        "CONN_HEALTH_CHECKS": True,
        "CONN_MAX_AGE": 600,
        "OPTIONS": {
            "connect_timeout": 5,
            # Statements of `core.db.prepared` are planned once for each connection.
            "prepare_threshold": DATABASE_PREPARE_AFTER or None,
            "options": f"-c lock_timeout={LOCK_TIMEOUT_MS} -c statement_timeout={STATEMENT_TIMEOUT_MS}"
            " -c idle_in_transaction_session_timeout=60000 -c timezone=UTC",
        },
    }
}
# A pool is worth three times the throughput in a threaded web server and nothing in a worker.
DATABASE_POOL_SIZE = env.int("PAYGO_DB_POOL", default=0)
# What makes no sense is told by `manage.py check`, which needs no database.
if DATABASE_POOL_SIZE > 0:
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    DATABASES["default"]["OPTIONS"]["pool"] = {
        "min_size": 2,
        "max_size": max(2, DATABASE_POOL_SIZE),
        "timeout": 2,
        # Without a database the next call tries anew, instead of waiting for a back-off that grows.
        "reconnect_timeout": 2,
    }

# -- Redis: cache and broker, never the only home of anything about money -----------------------------
REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
CACHES = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "paygo",
        "OPTIONS": {"SOCKET_CONNECT_TIMEOUT": 1, "SOCKET_TIMEOUT": 1},
    },
    # For what can be asked elsewhere at once: waiting for it is worse than not knowing it.
    "quick": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "paygo",
        "OPTIONS": {
            "SOCKET_CONNECT_TIMEOUT": 0.2,
            "SOCKET_TIMEOUT": 0.2,
            # Unlike a pickle, what somebody else has written there cannot run.
            "SERIALIZER": "django_redis.serializers.json.JSONSerializer",
        },
    },
}

# -- Celery -----------------------------------------------------------------------------------------
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 2, "socket_timeout": 10}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_TIME_LIMIT = 600
CELERY_TASK_SOFT_TIME_LIMIT = 570
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1

# -- Billing ----------------------------------------------------------------------------------------
BILLING_INTERVAL_SECONDS = env.int("BILLING_INTERVAL_SECONDS", default=60)
BILLING_CHUNK_SIZE = env.int("BILLING_CHUNK_SIZE", default=5_000)
DEPOSIT_SCAN_SECONDS = env.int("DEPOSIT_SCAN_SECONDS", default=15)
EXPIRY_SWEEP_SECONDS = env.int("EXPIRY_SWEEP_SECONDS", default=60)
REFUND_ROUND_SECONDS = env.int("REFUND_ROUND_SECONDS", default=30)
PAYOUT_SWEEP_SECONDS = env.int("PAYOUT_SWEEP_SECONDS", default=3_600)
RECONCILE_SECONDS = env.int("RECONCILE_SECONDS", default=21_600)
DEFAULT_PERMISSION_DURATION_DAYS = env.int("DEFAULT_PERMISSION_DURATION_DAYS", default=30)
MAX_PERMISSION_DURATION_DAYS = env.int("MAX_PERMISSION_DURATION_DAYS", default=366)
PERMISSION_PAYMENT_WINDOW_HOURS = env.int("PERMISSION_PAYMENT_WINDOW_HOURS", default=24)
MIN_PERMISSION_AMOUNT = env.str("MIN_PERMISSION_AMOUNT", default="0.00000001")
MAX_PERMISSION_AMOUNT = env.str("MAX_PERMISSION_AMOUNT", default="21000000")
MIN_START_SECONDS = env.int("MIN_START_SECONDS", default=10)
# A paused session ends by itself after so long.
MAX_PAUSE_HOURS = env.int("MAX_PAUSE_HOURS", default=24)
MAX_SESSION_HOURS = env.int("MAX_SESSION_HOURS", default=12)
# How old a day of settlements becomes before it leaves the audit log (they are derivable; the rest stays).
AUDIT_SETTLEMENT_RETENTION_DAYS = env.int("AUDIT_SETTLEMENT_RETENTION_DAYS", default=400)
# How often the dashboard's numbers are brought up to date.
STATISTICS_SECONDS = env.int("STATISTICS_SECONDS", default=60)
AUDIT_UPKEEP_SECONDS = env.int("AUDIT_UPKEEP_SECONDS", default=3600)
MAX_SESSIONS_PER_WALLET = env.int("MAX_SESSIONS_PER_WALLET", default=4)


# -- Events: webhooks, streams, mails -----------------------------------------------------------------
EVENT_ROUND_SECONDS = env.int("EVENT_ROUND_SECONDS", default=2)
# How long one webhook may take, from the look-up of its address to the end of its answer.
WEBHOOK_TIMEOUT_SECONDS = env.float("WEBHOOK_TIMEOUT_SECONDS", default=10.0)
# How old a logged request to a webhook becomes.
WEBHOOK_LOG_RETENTION_DAYS = env.int("WEBHOOK_LOG_RETENTION_DAYS", default=90)
# For how long after the end of a permission it is known who was told of it by mail.
NOTIFY_EMAIL_RETENTION_DAYS = env.int("NOTIFY_EMAIL_RETENTION_DAYS", default=30)
# Receivers on this machine, by plain http too: for development.
WEBHOOK_ALLOW_LOOPBACK = env.bool("WEBHOOK_ALLOW_LOOPBACK", default=False)
# Streams that one web process holds open: each takes a thread of the server, which has to have them.
STREAM_LIMIT = env.int("STREAM_LIMIT", default=4)
# Of those one client: a quarter, so that nobody alone takes them all.
STREAM_LIMIT_PER_CLIENT = env.int("STREAM_LIMIT_PER_CLIENT", default=-(-STREAM_LIMIT // 4))
STREAM_HEARTBEAT_SECONDS = env.int("STREAM_HEARTBEAT_SECONDS", default=15)
MAX_WEBHOOK_ENDPOINTS = env.int("MAX_WEBHOOK_ENDPOINTS", default=16)


def _every(task: str, seconds: int) -> dict[str, Any]:
    """A message that waited for longer than a period is dropped: the next one does its work."""
    return {"task": task, "schedule": seconds, "options": {"expires": seconds}}


# Mails to viewers: smtp+tls://user:password@host:587, filemail:////folder; without one nothing is mailed.
EMAIL_URL = env.str("EMAIL_URL", default="")
vars().update(env.email_url_config(EMAIL_URL or "dummymail://"))
MAIL_FROM = env.str("MAIL_FROM", default="PayGo <paygo@localhost>")
EMAIL_TIMEOUT = 10
NOTICE_ROUND_SECONDS = env.int("NOTICE_ROUND_SECONDS", default=60)

CELERY_BEAT_SCHEDULE = {
    "billing-interval": _every("billing.run_interval", BILLING_INTERVAL_SECONDS),
    "expiry-sweep": _every("billing.run_expiry", EXPIRY_SWEEP_SECONDS),
    "deposit-scan": _every("billing.scan_deposits", DEPOSIT_SCAN_SECONDS),
    "refund-round": _every("billing.run_refunds", REFUND_ROUND_SECONDS),
    "notice-round": _every("billing.run_notices", NOTICE_ROUND_SECONDS),
    "event-round": _every("core.event_round", EVENT_ROUND_SECONDS),
    "statistics": _every("billing.keep_statistics", STATISTICS_SECONDS),
    "payout-sweep": _every("billing.queue_payouts", PAYOUT_SWEEP_SECONDS),
    "reconciliation": _every("billing.reconcile", RECONCILE_SECONDS),
    "audit-history": _every("billing.keep_history", AUDIT_UPKEEP_SECONDS),
}

# -- Zcash ------------------------------------------------------------------------------------------
ZCASH_NETWORK = env.str("ZCASH_NETWORK", default="regtest")
ZCASH_RPC_URL = env.str("ZCASH_RPC_URL", default="http://127.0.0.1:18232")
ZCASH_RPC_USER = env.str("ZCASH_RPC_USER", default="")
ZCASH_RPC_PASSWORD = env.str("ZCASH_RPC_PASSWORD", default="")
ZCASH_RPC_COOKIE_FILE = env.str("ZCASH_RPC_COOKIE_FILE", default="")
ZCASH_RPC_TIMEOUT_SECONDS = env.float("ZCASH_RPC_TIMEOUT_SECONDS", default=10.0)
ZCASH_SERVICE_WALLET = env.str("ZCASH_SERVICE_WALLET", default="")
# The number of the account at zcashd, its UUID (or number) at zallet.
ZCASH_ACCOUNT = env.str("ZCASH_ACCOUNT", default="0")
# Which wallet answers at ZCASH_RPC_URL: `auto` asks it.
ZCASH_WALLET_DIALECT = env.str("ZCASH_WALLET_DIALECT", default="auto")
# zebrad, beside a zallet that has no calls about the chain.
ZCASH_NODE_URL = env.str("ZCASH_NODE_URL", default="")
ZCASH_NODE_COOKIE_FILE = env.str("ZCASH_NODE_COOKIE_FILE", default="")
# How old the chain's answer about a balance may be before the node is asked again.
BALANCE_CACHE_SECONDS = env.int("BALANCE_CACHE_SECONDS", default=15)
# ZIP-315 (draft) recommends 10 for money from strangers; the seed's example has 1.
ZCASH_MIN_CONFIRMATIONS = env.int("ZCASH_MIN_CONFIRMATIONS", default=10)
# More for more money: `10:3,100:10` asks for 3 confirmations from 10 ZEC on and for 10 from 100 ZEC on.
ZCASH_CONFIRMATION_TIERS = env.str("ZCASH_CONFIRMATION_TIERS", default="")
# What one pass may take back after a reorg before it stops and asks an operator.
MAX_REVERSALS_PER_PASS = env.int("MAX_REVERSALS_PER_PASS", default=10)
MAX_REVERSAL_AMOUNT_PER_PASS = env.str("MAX_REVERSAL_AMOUNT_PER_PASS", default="100")

# -- Ethereum: the second rail. The service's key is no setting: billing.ethereum.keys --------------------
ETHEREUM_CHAINS_FILE = env.str("ETHEREUM_CHAINS_FILE", default="")
ETHEREUM_RPC_TIMEOUT_SECONDS = env.float("ETHEREUM_RPC_TIMEOUT_SECONDS", default=10.0)
ETHEREUM_COLLECT_SECONDS = env.int("ETHEREUM_COLLECT_SECONDS", default=15)
# What was charged to the last day of an authorisation may be collected for so long after it.
ETHEREUM_COLLECT_GRACE_HOURS = env.int("ETHEREUM_COLLECT_GRACE_HOURS", default=72)
# A transaction that is not mined by then is sent again for more gas money, under its own nonce.
ETHEREUM_REPLACE_SECONDS = env.int("ETHEREUM_REPLACE_SECONDS", default=120)
# The service pays the gas of permits: so many of one client's viewers' in 24 hours, the others wait.
ETHEREUM_PERMITS_PER_CLIENT_DAY = env.int("ETHEREUM_PERMITS_PER_CLIENT_DAY", default=200)

# -- Refunds ----------------------------------------------------------------------------------------
REFUND_MINIMUM = env.str("REFUND_MINIMUM", default="0.001")
# How deep the deposits behind a refund lie before it is sent, and when the refund itself counts as final.
REFUND_CONFIRMATIONS = env.int("REFUND_CONFIRMATIONS", default=10)
# Refunds of more ZEC than this wait until two operators have agreed; empty: none does.
REFUND_APPROVAL_ABOVE = env.str("REFUND_APPROVAL_ABOVE", default="100")
# Whose account, password or roles changed within so many hours agrees to nothing; 0: whoever may, does.
APPROVAL_ACCOUNT_AGE_HOURS = env.int("APPROVAL_ACCOUNT_AGE_HOURS", default=24)
APPROVAL_INDEPENDENT_DAYS = env.int("APPROVAL_INDEPENDENT_DAYS", default=30)
# Least of a payout by schedule, in ZEC; how long earnings are pending; above which amount two must agree.
PAYOUT_MINIMUM = env.str("PAYOUT_MINIMUM", default="0.1")
PAYOUT_HOLD_HOURS = env.int("PAYOUT_HOLD_HOURS", default=24)
PAYOUT_APPROVAL_ABOVE = env.str("PAYOUT_APPROVAL_ABOVE", default="100")
REFUND_ADDRESS_DELAY_HOURS = env.int("REFUND_ADDRESS_DELAY_HOURS", default=24)

# -- The public API ---------------------------------------------------------------------------------
API_MAX_BODY_BYTES = env.int("API_MAX_BODY_BYTES", default=64 * 1024)
# Calls per s, m or h; as many at once. By key, and by address where there is none.
RATE_LIMIT_CALLS = env.str("RATE_LIMIT_CALLS", default="12000/m")
RATE_LIMIT_NODE_CALLS = env.str("RATE_LIMIT_NODE_CALLS", default="1200/m")
RATE_LIMIT_PUBLIC = env.str("RATE_LIMIT_PUBLIC", default="600/m")
RATE_LIMIT_GUESSES = env.str("RATE_LIMIT_GUESSES", default="60/m")
# A page that is open asks once in two seconds, a demo once a second: by link, and for all of an address.
RATE_LIMIT_LINKS = env.str("RATE_LIMIT_LINKS", default="240/m")
RATE_LIMIT_PAGES = env.str("RATE_LIMIT_PAGES", default="12000/m")
RATE_LIMIT_DEMOS = env.str("RATE_LIMIT_DEMOS", default="20/m")
# Only what these have appended to X-Forwarded-For is believed.
TRUSTED_PROXIES = env.list("PAYGO_TRUSTED_PROXIES", default=[])
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["paygo.api.auth.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PARSER_CLASSES": ["paygo.api.parsers.BoundedJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "paygo.api.negotiation.JSONOnly",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "paygo.api.problems.handle",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "PayGo",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "WEBHOOKS": "paygo.api.webhook_schema.WEBHOOKS",
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "POSTPROCESSING_HOOKS": ["paygo.api.openapi.complete"],
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "PayGo",
    "SITE_HEADER": "PayGo",
    "SITE_SUBHEADER": "Streaming by the hour",
    "SITE_SYMBOL": "bolt",
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    # They are in colors.css: no page has a style element.
    "COLORS": lambda _: {},
    "STYLES": [lambda _: f"/{STATIC_URL}paygo/colors.css", lambda _: f"/{STATIC_URL}paygo/office.css"],
    "SCRIPTS": [lambda _: f"/{STATIC_URL}paygo/htmx.js"],
    "DASHBOARD_CALLBACK": "paygo.backoffice.dashboard.callback",
    "SIDEBAR": {"show_search": True, "navigation": "paygo.backoffice.navigation.sidebar"},
}

# -- Logins: who guesses passwords is locked out, by name and address; see paygo.backoffice.logins ----------
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = env.int("LOGIN_FAILURE_LIMIT", default=5)
LOGIN_LOCKOUT_MINUTES = env.int("LOGIN_LOCKOUT_MINUTES", default=15)
AXES_COOLOFF_TIME = timedelta(minutes=LOGIN_LOCKOUT_MINUTES)
# How many failures of one name, from all addresses, before only those are heard that it has logged in from.
LOGIN_NAME_FAILURE_LIMIT = env.int("LOGIN_NAME_FAILURE_LIMIT", default=50)
AXES_HANDLER = "paygo.backoffice.logins.Failures"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "paygo.backoffice.logins.login_address"
AXES_LOCKOUT_CALLABLE = "paygo.backoffice.logins.locked_out"
AXES_HTTP_RESPONSE_CODE = 429
AXES_RESET_ON_SUCCESS = True
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False
# It looks for its own middleware by name; LoginGate is that middleware, with a limit in front of it.
SILENCED_SYSTEM_CHECKS = ["axes.W002"]
# How often one address may try to log in, in a minute, whatever names it tries.
LOGIN_TRIES_PER_MINUTE = env.int("LOGIN_TRIES_PER_MINUTE", default=20)

# -- Security ---------------------------------------------------------------------------------------
PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SESSION_COOKIE_HTTPONLY = True
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
# What a page may load and run: its own files, and nothing inline.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "connect-src": ["'self'"],
        "font-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
    }
}
# What pages of others need beyond that, by the beginning of their paths.
CONTENT_SECURITY_RELAXED = {
    # unfold's Alpine evaluates the expressions in its markup, some of which set an element's style.
    "/admin/": {
        "script-src": ["'unsafe-eval'"],
        "style-src-attr": ["'unsafe-inline'"],
        "img-src": ["data:"],
    },
    # The browser of the schema comes with inline scripts and styles.
    "/api/docs/": {
        "script-src": ["'unsafe-inline'"],
        "style-src": ["'unsafe-inline'"],
        "img-src": ["data:"],
    },
}
HTTPS = env.bool("PAYGO_HTTPS", default=False)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# -- Logs -------------------------------------------------------------------------------------------
LOGGING = logs.configured(level=env.str("PAYGO_LOG_LEVEL", default="INFO"))
