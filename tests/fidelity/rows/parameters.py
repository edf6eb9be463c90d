"""Parameters of Systems Manager: public ones, names, versions, tiers."""

from __future__ import annotations

from typing import Any

from tests.fidelity.table import Answered, Parameters, Refused, Row, Story, World
from tests.fidelity.world import AL2023, code_of

NAMES = "Requirements and constraints for parameter names"
PUBLIC = "Discovering public parameters"
LATEST = "/aws/service/ami-amazon-linux-latest"
NOWHERE = "/fidelity/nowhere"
UBUNTU = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
LEARNING = (
    "/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-22.04/latest/ami-id"
)


def refused(
    says: str, call: str, parameters: Parameters, code: str, words: str = "", source: str = ""
) -> Row:
    return Row(says, "ssm", call, parameters, Refused(code, words, 400), source or call)


def public(says: str, name: str, check: Any) -> Row:
    outcome = Answered(lambda answer: check(answer["Parameter"]))
    return Row(says, "ssm", "get_parameter", {"Name": name}, outcome, PUBLIC)


def put(name: str, value: str = "v", **more: Any) -> dict[str, Any]:
    return {"Name": name, "Value": value, "Type": "String", **more}


def bad_name(says: str, name: str, code: str, words: str) -> Row:
    return refused(says, "put_parameter", put(name), code, words, NAMES)


def parameter(world: World, value: str = "v", **more: Any) -> str:
    """Make a parameter that the suite deletes; return its name."""
    ssm, name = world.client("ssm"), f"/fidelity/{world.name('p')}"
    ssm.put_parameter(**put(name, value, **more))
    world.later(lambda: ssm.delete_parameter(Name=name))
    return name


ROWS = [
    public("the newest Amazon Linux has a public parameter", AL2023,
           lambda p: p["Value"].startswith("ami-") and p["Type"] == "String"),
    public("the newest Ubuntu has a public parameter", UBUNTU,
           lambda p: p["Value"].startswith("ami-") and p["DataType"] == "aws:ec2:image"),
    public("the newest Deep Learning AMI has a public parameter", LEARNING,
           lambda p: p["Value"].startswith("ami-")),
    public("regions have public parameters",
           "/aws/service/global-infrastructure/regions/us-east-1/longName",
           lambda p: p["Value"] == "US East (N. Virginia)"),
    public("a public parameter belongs to no account", AL2023,
           lambda p: p["ARN"].split(":")[4] == ""),
    Row("public parameters lie on paths", "ssm", "get_parameters_by_path", {"Path": LATEST},
        Answered(lambda a: 0 < len(a["Parameters"]) <= 10 and a["NextToken"]), PUBLIC),
    Row("several parameters are read at once, and the missing ones named", "ssm",
        "get_parameters", {"Names": [AL2023, NOWHERE]},
        Answered(lambda a: len(a["Parameters"]) == 1 and a["InvalidParameters"] == [NOWHERE]),
        "GetParameters"),
    Row("missing parameters are named when several are deleted", "ssm", "delete_parameters",
        {"Names": [NOWHERE]}, Answered(lambda a: a["InvalidParameters"] == [NOWHERE]),
        "DeleteParameters"),
    Row("a new parameter has version 1 in the standard tier", "ssm", "get_parameter_history",
        lambda w: {"Name": parameter(w)},
        Answered(lambda a: [(p["Version"], p["Tier"]) for p in a["Parameters"]]
                 == [(1, "Standard")]), "GetParameterHistory"),
    Row("a parameter is described without its value", "ssm", "describe_parameters",
        lambda w: {"ParameterFilters": [{"Key": "Name", "Values": [parameter(w)]}]},
        Answered(lambda a: len(a["Parameters"]) == 1 and "Value" not in a["Parameters"][0]),
        "DescribeParameters"),
    refused("an unknown parameter is not found", "get_parameter", {"Name": NOWHERE},
            "ParameterNotFound"),
    refused("an unknown parameter is not deleted", "delete_parameter", {"Name": NOWHERE},
            "ParameterNotFound"),
    refused("an unknown parameter has no history", "get_parameter_history", {"Name": NOWHERE},
            "ParameterNotFound"),
    refused("an unknown version is not found", "get_parameter",
            lambda w: {"Name": f"{parameter(w)}:7"}, "ParameterVersionNotFound",
            "Systems Manager could not find version 7"),
    refused("a parameter is not overwritten by accident", "put_parameter",
            lambda w: put(parameter(w)), "ParameterAlreadyExists",
            "To overwrite this value, set the overwrite option in the request to true"),
    bad_name("names do not begin with aws", "aws-mine", "ValidationException",
             "can't be prefixed with"),
    bad_name("paths do not begin with aws", "/aws/mine", "AccessDeniedException",
             "No access to reserved parameter name"),
    bad_name("paths do not begin with ssm", "/ssm/mine", "ValidationException",
             "can't be prefixed with"),
    bad_name("a path begins with a slash", "fidelity/mine", "ValidationException",
             "Parameter name must be a fully qualified name"),
    bad_name("a path has fifteen levels at most", "/a" * 16,
             "HierarchyLevelLimitExceededException", ""),
    bad_name("a name has no space", "/fidelity/two words", "ValidationException", ""),
    refused("a standard parameter has 4,096 characters at most", "put_parameter",
            put(NOWHERE, "x" * 4097), "ValidationException",
            "Standard tier parameters support a maximum parameter value of 4096 characters"),
    refused("a parameter is of some type", "put_parameter", {"Name": NOWHERE, "Value": "v"},
            "ValidationException", "A parameter type is required"),
    refused("a value fits its pattern", "put_parameter",
            put(NOWHERE, "abc", AllowedPattern="^[0-9]+$"), "ParameterPatternMismatchException"),
    refused("tags are not given with an overwrite", "put_parameter",
            put(NOWHERE, Overwrite=True, Tags=[{"Key": "k", "Value": "v"}]),
            "ValidationException", "tags and overwrite can't be used together"),
    refused("a path to look below begins with a slash", "get_parameters_by_path",
            {"Path": "fidelity"}, "ValidationException"),
    refused("what is below a path is not filtered by name", "get_parameters_by_path",
            {"Path": "/fidelity", "ParameterFilters": [{"Key": "Name", "Values": ["x"]}]},
            "InvalidFilterKey"),
    refused("an unknown parameter has no tags", "list_tags_for_resource",
            {"ResourceType": "Parameter", "ResourceId": NOWHERE}, "InvalidResourceId"),
]  # fmt: skip


def versions_are_kept_and_labelled(world: World) -> None:
    ssm, name = world.client("ssm"), parameter(world, "1")
    assert ssm.put_parameter(Name=name, Value="2", Overwrite=True)["Version"] == 2
    assert ssm.get_parameter(Name=name)["Parameter"]["Value"] == "2"
    assert ssm.get_parameter(Name=f"{name}:1")["Parameter"]["Value"] == "1"
    answer = ssm.label_parameter_version(Name=name, ParameterVersion=1, Labels=["good", "1bad"])
    assert answer["InvalidLabels"] == ["1bad"]
    assert ssm.get_parameter(Name=f"{name}:good")["Parameter"]["Value"] == "1"


def secrets_are_told_decrypted_only(world: World) -> None:
    ssm, name = world.client("ssm"), parameter(world, "hidden", Type="SecureString")
    assert "hidden" not in ssm.get_parameter(Name=name)["Parameter"]["Value"]
    told = ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    assert (told["Value"], told["Type"]) == ("hidden", "SecureString")


def advanced_parameters_stay_so(world: World) -> None:
    ssm, name = world.client("ssm"), parameter(world)
    large = {"Name": name, "Value": "x" * 5000, "Overwrite": True}
    assert ssm.put_parameter(**large, Tier="Intelligent-Tiering")["Tier"] == "Advanced"
    back = {"Name": name, "Value": "x", "Overwrite": True, "Tier": "Standard"}
    assert code_of(ssm.put_parameter, **back) == "ValidationException"


def paths_are_walked(world: World) -> None:
    ssm, root = world.client("ssm"), f"/fidelity/{world.name('path')}"
    for tail in ("a", "b/c"):
        ssm.put_parameter(**put(f"{root}/{tail}"))
    world.later(lambda: ssm.delete_parameters(Names=[f"{root}/a", f"{root}/b/c"]))
    flat = ssm.get_parameters_by_path(Path=root)["Parameters"]
    assert [one["Name"] for one in flat] == [f"{root}/a"]
    deep = ssm.get_parameters_by_path(Path=root, Recursive=True)["Parameters"]
    assert {one["Name"] for one in deep} == {f"{root}/a", f"{root}/b/c"}


STORIES = [
    Story(
        "versions of a parameter are kept, and found by label",
        versions_are_kept_and_labelled,
        "Working with parameter versions",
    ),
    Story(
        "secret parameters are told decrypted only", secrets_are_told_decrypted_only, "PutParameter"
    ),
    Story("an advanced parameter stays advanced", advanced_parameters_stay_so, "Parameter tiers"),
    Story("paths of parameters are walked flat and deep", paths_are_walked, "GetParametersByPath"),
]
