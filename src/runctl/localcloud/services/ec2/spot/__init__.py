"""Spot: requests, what becomes of them, and interruptions."""
