"""What `make run` starts: PostgreSQL, Valkey, the simulated node, web, worker, beat and the late-watcher."""
