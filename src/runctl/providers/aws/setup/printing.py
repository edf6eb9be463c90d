"""A set-up for other tools, from the very blueprint that is made: all of them read JSON.

https://developer.hashicorp.com/terraform/language/syntax/json
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
"""

from __future__ import annotations

from runctl.model.setup import Document
from runctl.providers.aws.setup.blueprint import Blueprint
from runctl.providers.aws.setup.cloudformation import to_cloudformation
from runctl.providers.aws.setup.terraform import to_terraform


def to_documents(plan: Blueprint) -> Document:
    """Return the policies alone."""
    bucket_policy = {"Version": "2012-10-17", "Statement": [plan.tls_statement]}
    return {"trust": plan.trust, "policy": plan.policy, "bucket_policy": bucket_policy}


FORMS = {"terraform": to_terraform, "cloudformation": to_cloudformation, "json": to_documents}
