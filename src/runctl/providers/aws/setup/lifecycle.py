"""Our rules among those that a bucket has: no other is ever dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Rule = Mapping[str, Any]


def merge_rules(seen: Sequence[Rule], ours: Sequence[Rule]) -> list[Rule]:
    """Return the rules that are there, with ours in place of older ones by their id."""
    own = {rule["ID"] for rule in ours}
    return [*(_in_new_form(rule) for rule in seen if rule.get("ID") not in own), *ours]


def without_rules(seen: Sequence[Rule], ids: Sequence[str]) -> list[Rule]:
    """Return the rules that are left."""
    return [_in_new_form(rule) for rule in seen if rule.get("ID") not in ids]


def has_rules(seen: Sequence[Rule], ours: Sequence[Rule]) -> bool:
    """Tell whether each of ours is there."""
    there = [_in_new_form(rule) for rule in seen]
    return all(rule in there for rule in ours)


def _in_new_form(rule: Rule) -> Rule:
    """Write an old rule's prefix as its filter: S3 takes no mixture of the two forms."""
    if "Prefix" not in rule:
        return rule
    rest = {key: value for key, value in rule.items() if key != "Prefix"}
    return {**rest, "Filter": {"Prefix": rule["Prefix"]}}
