"""The documents that commands are made of: AWS's own."""

from __future__ import annotations

import json
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

SHELL = "AWS-RunShellScript"
_CONTENT = {
    "schemaVersion": "1.2",
    "description": "Run a shell script or specify the commands to run.",
    "parameters": {
        "commands": {"type": "StringList", "minItems": 1, "displayType": "textarea"},
        "workingDirectory": {"type": "String", "default": "", "maxChars": 4096},
        "executionTimeout": {"type": "String", "default": "3600"},
    },
    "runtimeConfig": {
        "aws:runShellScript": {
            "properties": [
                {
                    "id": "0.aws:runShellScript",
                    "runCommand": "{{ commands }}",
                    "workingDirectory": "{{ workingDirectory }}",
                    "timeoutSeconds": "{{ executionTimeout }}",
                }
            ]
        }
    },
}


def check_document(name: str) -> None:
    """Raise what SendCommand answers to a document that is not there."""
    if name.rpartition("/")[2] != SHELL:
        raise AwsError("InvalidDocument", f"Document with name {name} does not exist.")


def _description() -> Record:
    return {
        "Name": SHELL,
        "Owner": "Amazon",
        "Status": "Active",
        "DocumentVersion": "1",
        "DefaultVersion": "1",
        "LatestVersion": "1",
        "DocumentType": "Command",
        "DocumentFormat": "JSON",
        "SchemaVersion": "1.2",
        "PlatformTypes": ["Linux", "MacOS"],
        "Description": _CONTENT["description"],
        "Tags": [],
    }


@operation("ssm", "DescribeDocument")
def describe_document(call: Call) -> dict[str, Any]:
    """Describe a document."""
    check_document(call.get("Name"))
    return {"Document": _description()}


@operation("ssm", "GetDocument")
def get_document(call: Call) -> dict[str, Any]:
    """Return the text of a document."""
    check_document(call.get("Name"))
    return {**_description(), "Content": json.dumps(_CONTENT)}


@operation("ssm", "ListDocuments")
def list_documents(call: Call) -> dict[str, Any]:
    """List the documents."""
    return page(call, "DocumentIdentifiers", [_description()], sort_by="Name", low=1, high=50)
