"""What `make run` prints when everything is up."""

from collections.abc import Mapping
from typing import Any

from paygo.devstack import ADMIN, VENDOR, anvil
from paygo.devstack.datadir import DataDir


def banner(env: Mapping[str, str], *, made: Mapping[str, Any], data: DataDir) -> str:
    """What runs where, the demo key, and what to try next."""
    url = env["PAYGO_URL"]
    node_url = env.get("ZCASH_NODE_URL") if "ZCASH_NODE_COOKIE_FILE" in env else None
    rows = [
        ("pages", f"{url}/" + (f"  (demo: {url}/demo/)" if env.get("PAYGO_DEMO_CLIENT") else "")),
        ("API", f"{url}/api/v1/  (to read and to try: {url}/api/docs/)"),
        ("health", f"{url}/api/v1/health"),
        ("admin", f"{url}/admin/  {_admin(made, data)}"),
        ("API key", env.get("PAYGO_API_KEY", "make one: python3 manage.py createapikey NAME")),
        ("vendor", VENDOR if made else "make one: python3 manage.py createvendor NAME vendor123"),
        ("PostgreSQL", _without_password(env["DATABASE_URL"])),
        ("Valkey", _without_password(env["REDIS_URL"])),
        ("Zcash node", f"{env['ZCASH_RPC_URL']}  user {env.get('ZCASH_RPC_USER', '')}"),
        *([("zebrad", f"{node_url}  cookie {env['ZCASH_NODE_COOKIE_FILE']}")] if node_url else []),
        ("EVM chains", env.get("ETHEREUM_CHAINS_FILE", anvil.MISSING)),
        ("service wallet", env.get("ZCASH_SERVICE_WALLET", "none: set ZCASH_SERVICE_WALLET")),
        ("data, logs", f"{data.path}, {data.logs}"),
        ("settings", f"{data.env_file}  (all passwords; read by manage.py in other terminals)"),
    ]
    lines = "\n".join(f"  {name:<15} {value}" for name, value in rows)
    return (
        f"\nPayGo is running.\n\n{lines}\n\nTry `make demo` in another terminal. Ctrl-C stops everything.\n"
    )


def _admin(made: Mapping[str, Any], data: DataDir) -> str:
    kept = data.path / "secrets" / "admin_password"
    if made.get("new_admin"):
        return f"user {ADMIN}, password {data.recorded('admin_password')}  (kept in {kept})"
    return f"user {ADMIN}, password as printed at the first start ({kept})" if made else ""


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    return scheme + separator + rest.rpartition("@")[2]
