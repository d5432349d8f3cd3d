"""The embedded runtime: one process, one folder; log and state in one RocksDB, one write batch is one transaction."""
