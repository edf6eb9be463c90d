"""Fleets: so many instances, of whatever type and in whatever zone can be had."""
