"""ECR: a password for it, and repositories that look after themselves."""

from __future__ import annotations

import base64
import json
from typing import Any

from botocore.exceptions import ClientError

from runctl.aws.account import Account
from runctl.aws.errors import code_of, translated

KEPT_IMAGES = 30
_POLICY = {
    "rules": [
        {
            "rulePriority": 1,
            "description": "runctl: the newest are kept",
            "selection": {
                "tagStatus": "any",
                "countType": "imageCountMoreThan",
                "countNumber": KEPT_IMAGES,
            },
            "action": {"type": "expire"},
        }
    ]
}


def sign_in(account: Account, region: str) -> str:
    """Return ``user:password``, which is good for twelve hours."""
    with translated("ECR gives no password", hint="aws ecr get-authorization-token"):
        told = account.client("ecr", region=region).get_authorization_token()
    token = told["authorizationData"][0]["authorizationToken"]
    return base64.b64decode(token).decode()


def make_repository(account: Account, region: str, name: str) -> bool:
    """Make a repository that scans what is pushed and keeps the newest; return whether it is new.

    One that is there is left as it is.
    """
    client = account.client("ecr", region=region)
    with translated(f"the repository {name} cannot be made"):
        if _is_there(client, name):
            return False
        client.create_repository(
            repositoryName=name, imageScanningConfiguration={"scanOnPush": True}
        )
        client.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=json.dumps(_POLICY))
    return True


def _is_there(client: Any, name: str) -> bool:
    try:
        client.describe_repositories(repositoryNames=[name])
    except ClientError as error:
        if code_of(error) == "RepositoryNotFoundException":
            return False
        raise
    return True
