"""Bytes with integrity: objects, blobs, the ledger, snapshots and checkpoints."""
