"""What `make run` starts: PostgreSQL, Valkey, the simulated node, web, worker, beat and the late-watcher."""

# What every stack of development has from its first start.
CLIENT = "demo"
VENDOR = "vendor123"
ADMIN = "admin"
