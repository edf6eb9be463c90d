"""Policies of repositories: who may use one, and which images are to go. They are kept only."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ecr.errors import invalid
from runctl.localcloud.services.ecr.repositories import edit_repository, find_repository
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError


@operation("ecr", "PutLifecyclePolicy")
def put_lifecycle_policy(call: Call) -> dict[str, Any]:
    """Keep a lifecycle policy."""
    text, record = call.get("lifecyclePolicyText"), edit_repository(call)
    _check(text, "LifecyclePolicyText", _check_rules)
    record["_Lifecycle"] = {"lifecyclePolicyText": text, "lastEvaluatedAt": call.cloud.clock()}
    return {**_whose(record), "lifecyclePolicyText": text}


@operation("ecr", "GetLifecyclePolicy")
def get_lifecycle_policy(call: Call) -> dict[str, Any]:
    """Return the lifecycle policy."""
    record = find_repository(call)
    return {**_whose(record), **_lifecycle(record)}


@operation("ecr", "DeleteLifecyclePolicy")
def delete_lifecycle_policy(call: Call) -> dict[str, Any]:
    """Remove the lifecycle policy."""
    record = edit_repository(call)
    kept = _lifecycle(record)
    record["_Lifecycle"] = None
    return {**_whose(record), **kept}


def _lifecycle(record: Record) -> Record:
    found: Record | None = record.get("_Lifecycle")
    if found is None:
        raise AwsError(
            "LifecyclePolicyNotFoundException",
            f"Lifecycle policy does not exist for the repository with name "
            f"'{record['repositoryName']}' in the registry with id '{record['registryId']}'",
        )
    return found


@operation("ecr", "SetRepositoryPolicy")
def set_repository_policy(call: Call) -> dict[str, Any]:
    """Keep a repository policy."""
    text, record = call.get("policyText"), edit_repository(call)
    _check(text, "PolicyText", _check_statements)
    record["_Policy"] = text
    return {**_whose(record), "policyText": text}


@operation("ecr", "GetRepositoryPolicy")
def get_repository_policy(call: Call) -> dict[str, Any]:
    """Return the repository policy."""
    record = find_repository(call)
    return {**_whose(record), "policyText": _policy(record)}


@operation("ecr", "DeleteRepositoryPolicy")
def delete_repository_policy(call: Call) -> dict[str, Any]:
    """Remove the repository policy."""
    record = edit_repository(call)
    text = _policy(record)
    record["_Policy"] = None
    return {**_whose(record), "policyText": text}


def _policy(record: Record) -> str:
    found: str | None = record.get("_Policy")
    if found is None:
        raise AwsError(
            "RepositoryPolicyNotFoundException",
            f"Repository policy does not exist for the repository with name "
            f"'{record['repositoryName']}' in the registry with id '{record['registryId']}'",
        )
    return found


def _whose(record: Record) -> Record:
    return {name: record[name] for name in ("registryId", "repositoryName")}


def _check(text: str, parameter: str, check: Callable[[Any], bool]) -> None:
    try:
        is_good = check(json.loads(text))
    except (json.JSONDecodeError, KeyError, TypeError):
        is_good = False
    if not is_good:
        words = {
            "LifecyclePolicyText": "Lifecycle policy validation failure",
            "PolicyText": "Invalid repository policy provided",
        }
        raise invalid(parameter, words[parameter])


def _check_rules(policy: Any) -> bool:
    """Whether each rule has a priority of its own, what it selects, and what is to be done."""
    rules = policy["rules"]
    priorities = [int(rule["rulePriority"]) for rule in rules]
    is_unique = len(set(priorities)) == len(priorities)
    return bool(rules) and is_unique and all(_is_rule(rule) for rule in rules)


def _is_rule(rule: Any) -> bool:
    selection = rule["selection"]
    is_status = selection["tagStatus"] in ("tagged", "untagged", "any")
    is_count = selection["countType"] in ("imageCountMoreThan", "sinceImagePushed")
    is_number = isinstance(selection["countNumber"], int) and selection["countNumber"] > 0
    return is_status and is_count and is_number and rule["action"]["type"] == "expire"


def _check_statements(policy: Any) -> bool:
    statements = policy["Statement"]
    listed = statements if isinstance(statements, list) else [statements]
    return bool(listed) and all(one["Effect"] in ("Allow", "Deny") for one in listed)
