"""Launcher of instances that really run.

``tiers.open_tier`` gives a ``Tier``, which launches, finds and destroys; each instance has a
keeper of its own (``machines/keeper``), which outlives the cloud's process.
"""
