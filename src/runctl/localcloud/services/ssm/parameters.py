"""Reading parameters: the public ones, and one's own in all their versions.

A record of one's own has its versions, oldest first, and its tags.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from runctl.localcloud.api import Call, operation
from runctl.localcloud.services.ec2.paging import page
from runctl.localcloud.services.ssm.parameterfilters import check_path, matching
from runctl.localcloud.services.ssm.publicparameters import published_parameters
from runctl.localcloud.state.records import Record
from runctl.localcloud.wire.errors import AwsError

KIND = "parameter"


def own_parameter(call: Call, name: str) -> Record:
    """Return a parameter of one's own with all its versions, to read."""
    found = call.table(KIND).get(name)
    if found is None:
        raise AwsError("ParameterNotFound", "")
    return found


def version_not_found(name: str, version: object) -> AwsError:
    """Make the error that names a version, or a label, which a parameter does not have."""
    return AwsError(
        "ParameterVersionNotFound",
        f"Systems Manager could not find version {version} of {name}. Verify the version and try "
        "again.",
    )


def find_parameter(call: Call, given: str) -> Record:
    """Return the version that a name means: ``name``, ``name:3``, ``name:label``, or an ARN."""
    plain, _, selector = _plain(given).partition(":")
    public = published_parameters(call.region).get(plain)
    if public is not None:
        return public
    versions: list[Record] = own_parameter(call, plain)["Versions"]
    if not selector:
        return versions[-1]
    for one in versions:
        if selector in (str(one["Version"]), *one["Labels"]):
            return {**one, "Selector": f":{selector}"}
    raise version_not_found(plain, selector)


def _plain(given: str) -> str:
    """Return the name of a parameter that may be given by its ARN."""
    if not given.startswith("arn:"):
        return given
    name = given.split(":parameter", 1)[-1]
    return name if name.count("/") > 1 else name.removeprefix("/")


def _told(call: Call, found: Record) -> Record:
    """Return a version as it is told: a secret one is a cipher, unless it is to be decrypted."""
    if found["Type"] != "SecureString" or call.get("WithDecryption"):
        return found
    digest = hashlib.sha512(f"{found['ARN']} {found['Version']} {found['Value']}".encode())
    cipher = base64.b64encode(b"\x01\x02\x02\x00x" + digest.digest() * 2)
    return {**found, "Value": cipher.decode()}


@operation("ssm", "GetParameter")
def get_parameter(call: Call) -> dict[str, Any]:
    """Return one parameter."""
    return {"Parameter": _told(call, find_parameter(call, call.get("Name")))}


@operation("ssm", "GetParameters")
def get_parameters(call: Call) -> dict[str, Any]:
    """Return several; those that are not there are named."""
    found, missing = [], []
    for name in dict.fromkeys(call.get("Names")):
        try:
            found.append(_told(call, find_parameter(call, name)))
        except AwsError:
            missing.append(name)
    return {"Parameters": found, "InvalidParameters": missing}


@operation("ssm", "GetParametersByPath")
def get_parameters_by_path(call: Call) -> dict[str, Any]:
    """Return what lies below a path: directly, or at any depth."""
    folder = check_path(call.get("Path"))
    own = {name: one["Versions"][-1] for name, one in call.table(KIND).items()}
    known = {**published_parameters(call.region), **own}
    below = [name for name in known if name.startswith(folder)]
    if not call.get("Recursive"):
        below = [name for name in below if "/" not in name[len(folder) :]]
    allowed = ("Type", "KeyId", "Label")
    found = matching([known[name] for name in below], call.get("ParameterFilters"), allowed)
    answer = page(call, "Parameters", found, sort_by="Name", low=1, high=10, default=10)
    answer["Parameters"] = [_told(call, one) for one in answer["Parameters"]]
    return answer


@operation("ssm", "DescribeParameters")
def describe_parameters(call: Call) -> dict[str, Any]:
    """List one's own parameters, without their values."""
    found = [
        {**record["Versions"][-1], "Tags": record["Tags"]} for record in call.table(KIND).values()
    ]
    older = [{**one, "Option": "BeginsWith"} for one in call.get("Filters", [])]
    found = matching(found, older + call.get("ParameterFilters", []))
    return page(call, "Parameters", found, sort_by="Name", low=1, high=50, default=50)


@operation("ssm", "GetParameterHistory")
def get_parameter_history(call: Call) -> dict[str, Any]:
    """Return every version of a parameter, oldest first."""
    versions = own_parameter(call, call.get("Name"))["Versions"]
    found = [{**_told(call, one), "_Order": f"{one['Version']:012}"} for one in versions]
    return page(call, "Parameters", found, sort_by="_Order", low=1, high=50, default=50)
