"""The partitions of the audit log: made ahead of time, sealed when closed, archived when old."""
