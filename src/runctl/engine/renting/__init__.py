"""Renting an instance: what is asked for, once; the cheapest that can be had; until it answers."""
