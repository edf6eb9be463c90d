"""Snapshots: copies of what volumes hold at one moment."""
