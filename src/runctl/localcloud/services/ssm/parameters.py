"""Parameters: the public ones that name images, and one's own."""

from __future__ import annotations

from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.machineimages import public_parameters
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

_KIND = "parameter"
_PUBLISHED_AT = 1_762_500_000.0


def _find(call: Call, name: str) -> Record | None:
    """Return the version of a parameter that a name means; ``name:3`` is the third."""
    plain, _, version = name.partition(":")
    public = public_parameters(call.region).get(plain)
    if public is not None:
        return _public(call, plain, public)
    own = call.table(_KIND).get(plain)
    if own is None:
        return None
    versions: list[Record] = own["Versions"]
    if not version:
        return versions[-1]
    return next((one for one in versions if str(one["Version"]) == version), None)


def _public(call: Call, name: str, value: str) -> Record:
    return {
        "Name": name,
        "Type": "String",
        "Value": value,
        "Version": 1,
        "LastModifiedDate": _PUBLISHED_AT,
        "ARN": f"arn:aws:ssm:{call.region}::parameter{name}",
        "DataType": "aws:ec2:image",
    }


@operation("ssm", "GetParameter")
def get_parameter(call: Call) -> dict[str, Any]:
    """Return one parameter."""
    found = _find(call, call.get("Name"))
    if found is None:
        raise AwsError("ParameterNotFound", "")
    return {"Parameter": found}


@operation("ssm", "GetParameters")
def get_parameters(call: Call) -> dict[str, Any]:
    """Return several; those that are not there are named."""
    found = {name: _find(call, name) for name in call.get("Names")}
    return {
        "Parameters": [one for one in found.values() if one is not None],
        "InvalidParameters": [name for name, one in found.items() if one is None],
    }


@operation("ssm", "GetParametersByPath")
def get_parameters_by_path(call: Call) -> dict[str, Any]:
    """Return what lies below a path: directly, or at any depth."""
    folder = call.get("Path").rstrip("/") + "/"
    below = [name for name in _names(call) if name.startswith(folder)]
    if not call.get("Recursive"):
        below = [name for name in below if "/" not in name[len(folder) :]]
    found = [one for name in below if (one := _find(call, name)) is not None]
    return page(call, "Parameters", found, sort_by="Name", low=1, high=10)


def _names(call: Call) -> list[str]:
    return [*public_parameters(call.region), *(name for name, _ in call.table(_KIND).items())]


@operation("ssm", "PutParameter")
def put_parameter(call: Call) -> dict[str, Any]:
    """Set a parameter; another version of one that is there only if that is said."""
    name = call.get("Name")
    if name.startswith(("/aws", "aws", "ssm")):
        raise AwsError("AccessDeniedException", f"No access to reserved parameter name: {name}.")
    own = call.table(_KIND).get(name)
    if own is not None and not call.get("Overwrite"):
        raise AwsError(
            "ParameterAlreadyExists",
            "The parameter already exists. To overwrite this value, set the overwrite option in "
            "the request to true.",
        )
    record = call.table(_KIND).edit(name) if own is not None else {"Versions": []}
    version = len(record["Versions"]) + 1
    record["Versions"].append(_version(call, name, version, record))
    call.table(_KIND).put(name, record)
    return {"Version": version, "Tier": call.get("Tier", "Standard")}


def _version(call: Call, name: str, version: int, record: Record) -> Record:
    before = record["Versions"][-1]["Type"] if record["Versions"] else None
    kind = call.get("Type", before)
    if kind is None:
        raise AwsError(
            "ValidationException",
            "A parameter type is required when you create a parameter.",
        )
    path = name if name.startswith("/") else f"/{name}"
    return {
        "Name": name,
        "Type": kind,
        "Value": call.get("Value"),
        "Version": version,
        "LastModifiedDate": call.cloud.clock(),
        "LastModifiedUser": call.caller.arn,
        "Description": call.get("Description"),
        "ARN": f"arn:aws:ssm:{call.region}:{call.cloud.account}:parameter{path}",
        "DataType": call.get("DataType", "text"),
        "Tier": call.get("Tier", "Standard"),
        "Policies": [],
    }


@operation("ssm", "DescribeParameters")
def describe_parameters(call: Call) -> dict[str, Any]:
    """List one's own parameters, without their values."""
    found = [record["Versions"][-1] for record in call.table(_KIND).values()]
    for wanted in call.get("ParameterFilters", []):
        found = [one for one in found if _matches(one, wanted)]
    return page(call, "Parameters", found, sort_by="Name", low=1, high=50)


def _matches(found: Record, wanted: Record) -> bool:
    value = str(found.get(wanted["Key"], ""))
    option, values = wanted.get("Option", "Equals"), wanted.get("Values", [])
    if option == "BeginsWith":
        return value.startswith(tuple(values))
    if option == "Contains":
        return any(one in value for one in values)
    return value in values


@operation("ssm", "GetParameterHistory")
def get_parameter_history(call: Call) -> dict[str, Any]:
    """Return every version of a parameter."""
    own = call.table(_KIND).get(call.get("Name"))
    if own is None:
        raise AwsError("ParameterNotFound", "")
    return {"Parameters": own["Versions"]}


@operation("ssm", "DeleteParameter")
def delete_parameter(call: Call) -> None:
    """Remove a parameter."""
    if call.get("Name") not in call.table(_KIND):
        raise AwsError("ParameterNotFound", "")
    call.table(_KIND).delete(call.get("Name"))


@operation("ssm", "DeleteParameters")
def delete_parameters(call: Call) -> dict[str, Any]:
    """Remove several; those that are not there are named."""
    there = [name for name in call.get("Names") if name in call.table(_KIND)]
    for name in there:
        call.table(_KIND).delete(name)
    missing = [name for name in call.get("Names") if name not in there]
    return {"DeletedParameters": there, "InvalidParameters": missing}
