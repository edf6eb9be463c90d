"""Setting, deleting, labelling and tagging parameters of one's own."""

from __future__ import annotations

import re
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.tags import merge
from runctl.localcloud.services.ssm.parameterrules import check_name, check_value, tier_for
from runctl.localcloud.services.ssm.parameters import KIND, own_parameter, version_not_found
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_MOST_VERSIONS = 100
_MOST_LABELS = 10


@operation("ssm", "PutParameter")
def put_parameter(call: Call) -> dict[str, Any]:
    """Set a parameter; another version of one that is there only if that is said."""
    name = call.get("Name")
    check_name(name)
    if call.get("Overwrite") and call.get("Tags"):
        raise AwsError(
            "ValidationException",
            "Invalid request: tags and overwrite can't be used together. To create a parameter "
            "with tags, please remove overwrite flag. To update tags for an existing parameter, "
            "please use AddTagsToResource or RemoveTagsFromResource.",
        )
    is_new = name not in call.table(KIND)
    if not is_new and not call.get("Overwrite"):
        raise AwsError(
            "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in "
            "the request to true.",
        )
    record = _new(call, name) if is_new else call.table(KIND).edit(name)
    version = _version(call, name, record["Versions"])
    record["Versions"].append(version)
    _forget_oldest(record["Versions"])
    return {"Version": version["Version"], "Tier": version["Tier"]}


def _new(call: Call, name: str) -> Record:
    tags = merge([], call.get("Tags", []))
    return call.table(KIND).put(name, {"Versions": [], "Tags": tags})


def _version(call: Call, name: str, before: list[Record]) -> Record:
    last = before[-1] if before else {}
    kind = call.get("Type", last.get("Type"))
    if kind is None:
        raise AwsError(
            "ValidationException", "A parameter type is required when you create a parameter."
        )
    if last and "SecureString" in {kind, last["Type"]} != {kind}:
        raise AwsError(
            "HierarchyTypeMismatchException",
            "Parameter Store doesn't support changing a parameter type in a hierarchy. For "
            "example, you can't change a parameter from a String type to a SecureString type. "
            "You must create a new, unique parameter.",
        )
    value, pattern = call.get("Value"), call.get("AllowedPattern", last.get("AllowedPattern"))
    check_value(value, pattern)
    path = name if name.startswith("/") else f"/{name}"
    return {
        "Name": name,
        "Type": kind,
        "KeyId": call.get("KeyId", "alias/aws/ssm") if kind == "SecureString" else None,
        "Value": value,
        "Version": last.get("Version", 0) + 1,
        "LastModifiedDate": call.cloud.clock(),
        "LastModifiedUser": call.caller.arn,
        "Description": call.get("Description", last.get("Description")),
        "AllowedPattern": pattern,
        "ARN": f"arn:aws:ssm:{call.region}:{call.cloud.account}:parameter{path}",
        "DataType": call.get("DataType", last.get("DataType", "text")),
        "Tier": tier_for(value, call.get("Tier"), last.get("Tier")),
        "Policies": [],
        "Labels": [],
    }


def _forget_oldest(versions: list[Record]) -> None:
    if len(versions) <= _MOST_VERSIONS:
        return
    if versions[0]["Labels"]:
        raise AwsError(
            "ParameterMaxVersionLimitExceeded",
            f"You attempted to create a new version of {versions[0]['Name']} by calling the "
            f"PutParameter API with the overwrite flag. Version {versions[0]['Version']}, the "
            "oldest version, can't be deleted because it has a label associated with it. Move "
            "the label to another version of the parameter, and try again.",
        )
    del versions[0]


@operation("ssm", "DeleteParameter")
def delete_parameter(call: Call) -> None:
    """Remove a parameter with all its versions."""
    own_parameter(call, call.get("Name"))
    call.table(KIND).delete(call.get("Name"))


@operation("ssm", "DeleteParameters")
def delete_parameters(call: Call) -> dict[str, Any]:
    """Remove several; those that are not there are named."""
    there = [name for name in dict.fromkeys(call.get("Names")) if name in call.table(KIND)]
    missing = [name for name in call.get("Names") if name not in there]
    for name in there:
        call.table(KIND).delete(name)
    return {"DeletedParameters": there, "InvalidParameters": missing}


@operation("ssm", "LabelParameterVersion")
def label_parameter_version(call: Call) -> dict[str, Any]:
    """Put labels on a version; a label is taken from the version that had it."""
    chosen, versions = _chosen(call)
    labels = list(dict.fromkeys(call.get("Labels")))
    bad = [one for one in labels if not _is_label(one)]
    good = [one for one in labels if _is_label(one)]
    kept = [one for one in chosen["Labels"] if one not in good]
    if len(kept + good) > _MOST_LABELS:
        raise AwsError(
            "ParameterVersionLabelLimitExceeded",
            "An error occurred (ParameterVersionLabelLimitExceeded) when calling the "
            "LabelParameterVersion operation: A parameter version can have maximum 10 labels.Move "
            "one or more labels to another version and try again.",
        )
    for one in versions:
        one["Labels"] = [label for label in one["Labels"] if label not in good]
    chosen["Labels"] = kept + good
    return {"InvalidLabels": bad, "ParameterVersion": chosen["Version"]}


@operation("ssm", "UnlabelParameterVersion")
def unlabel_parameter_version(call: Call) -> dict[str, Any]:
    """Take labels from a version; those that it does not have are named."""
    chosen, _ = _chosen(call)
    removed = [one for one in call.get("Labels") if one in chosen["Labels"]]
    chosen["Labels"] = [one for one in chosen["Labels"] if one not in removed]
    invalid = [one for one in call.get("Labels") if one not in removed]
    return {"RemovedLabels": removed, "InvalidLabels": invalid}


def _chosen(call: Call) -> tuple[Record, list[Record]]:
    name = call.get("Name")
    own_parameter(call, name)
    versions: list[Record] = call.table(KIND).edit(name)["Versions"]
    wanted = call.get("ParameterVersion", versions[-1]["Version"])
    for one in versions:
        if one["Version"] == wanted:
            return one, versions
    raise version_not_found(name, wanted)


def _is_label(label: str) -> bool:
    if not re.fullmatch(r"[A-Za-z_.-][A-Za-z0-9_.-]{0,99}", label):
        return False
    return not label.lower().startswith(("aws", "ssm"))


@operation("ssm", "AddTagsToResource")
def add_tags_to_resource(call: Call) -> None:
    """Put tags on a parameter."""
    record = _tagged(call)
    record["Tags"] = merge(record["Tags"], call.get("Tags"))


@operation("ssm", "RemoveTagsFromResource")
def remove_tags_from_resource(call: Call) -> None:
    """Take tags from a parameter."""
    record = _tagged(call)
    record["Tags"] = [one for one in record["Tags"] if one["Key"] not in call.get("TagKeys")]


@operation("ssm", "ListTagsForResource")
def list_tags_for_resource(call: Call) -> dict[str, Any]:
    """List the tags of a parameter."""
    return {"TagList": _tagged(call)["Tags"]}


def _tagged(call: Call) -> Record:
    """Return what is to be tagged: of Systems Manager's things only parameters are tagged here."""
    if call.get("ResourceType") != "Parameter":
        raise AwsError(
            "InvalidResourceType",
            "The resource type isn't valid. For example, if you are attempting to tag an EC2 "
            "instance, the instance must be a registered managed node.",
        )
    ident = call.get("ResourceId")
    if ident not in call.table(KIND):
        raise AwsError("InvalidResourceId", f'The resource ID "{ident}" is not valid.')
    return call.table(KIND).edit(ident)
