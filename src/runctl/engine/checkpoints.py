"""Checkpoints of a run or of a plain folder, behind one set of verbs."""

from __future__ import annotations
