"""Repositories, their policies, and what is known of images."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from runctl.localcloud.services.ecr.tokens import read_password
from tests.unit.localcloud.conftest import ACCOUNT, START, Rehearsal

RULES = {
    "rules": [
        {
            "rulePriority": 1,
            "selection": {
                "tagStatus": "untagged",
                "countType": "imageCountMoreThan",
                "countNumber": 3,
            },
            "action": {"type": "expire"},
        }
    ]
}
POLICY = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*"}]}


def manifest(name: str) -> str:
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 10},
            "layers": [{"digest": name, "size": 100}, {"digest": "b", "size": 1000}],
        }
    )


def digest(name: str) -> str:
    return f"sha256:{hashlib.sha256(manifest(name).encode()).hexdigest()}"


def refusal(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return str(error.value.response["Error"]["Code"])


@pytest.fixture
def ecr(rehearsal: Rehearsal) -> Any:
    client = rehearsal.client("ecr")
    client.create_repository(repositoryName="team/train")
    return client


def push(ecr: Any, name: str, tag: str | None = None) -> None:
    more = {} if tag is None else {"imageTag": tag}
    ecr.put_image(repositoryName="team/train", imageManifest=manifest(name), **more)


def tags(ecr: Any) -> dict[str, list[str]]:
    found = ecr.describe_images(repositoryName="team/train")["imageDetails"]
    return {one["imageDigest"]: one.get("imageTags", []) for one in found}


def test_a_repository_is_described_as_it_was_made(rehearsal: Rehearsal) -> None:
    ecr = rehearsal.client("ecr")
    made = ecr.create_repository(
        repositoryName="ab",
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
        encryptionConfiguration={"encryptionType": "KMS"},
        tags=[{"Key": "k", "Value": "v"}],
    )["repository"]
    rehearsal.restart()
    [found] = ecr.describe_repositories(repositoryNames=["ab"])["repositories"]
    assert found == made
    assert found["repositoryArn"] == f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/ab"
    assert found["repositoryUri"] == f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/ab"
    assert found["createdAt"].timestamp() == START
    assert found["encryptionConfiguration"]["kmsKey"].endswith("alias/aws/ecr")
    tags = ecr.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"]
    assert tags == [{"Key": "k", "Value": "v"}]


def test_repositories_are_told_with_the_address_of_the_registry(
    rehearsal: Rehearsal, ecr: Any
) -> None:
    class There:
        def host(self, account: str, region: str) -> str:
            return f"127.0.0.1:5000/{account}-{region}"

        def address(self, account: str, region: str) -> str:
            return f"http://{self.host(account, region)}"

    rehearsal.cloud.registry = There()
    [found] = ecr.describe_repositories()["repositories"]
    assert found["repositoryUri"] == f"127.0.0.1:5000/{ACCOUNT}-us-east-1/team/train"
    [login] = ecr.get_authorization_token()["authorizationData"]
    assert login["proxyEndpoint"] == f"http://127.0.0.1:5000/{ACCOUNT}-us-east-1"


def test_names(ecr: Any) -> None:
    create = ecr.create_repository
    assert refusal(create, repositoryName="team/train") == "RepositoryAlreadyExistsException"
    assert refusal(create, repositoryName="Team") == "InvalidParameterException"
    assert refusal(create, repositoryName="a//b") == "InvalidParameterException"
    create(repositoryName="a__b/c--d")


def test_pages(ecr: Any) -> None:
    for number in range(5):
        ecr.create_repository(repositoryName=f"r{number}")
    pages = ecr.get_paginator("describe_repositories").paginate(PaginationConfig={"PageSize": 2})
    names = [[one["repositoryName"] for one in page["repositories"]] for page in pages]
    assert names == [["r0", "r1"], ["r2", "r3"], ["r4", "team/train"]]
    assert refusal(ecr.describe_repositories, nextToken="x") == "InvalidParameterException"


@pytest.mark.parametrize(
    ("call", "more"),
    [
        ("describe_images", {}),
        ("list_images", {}),
        ("delete_repository", {}),
        ("get_lifecycle_policy", {}),
        ("get_repository_policy", {}),
        ("put_image", {"imageManifest": "{}"}),
        ("batch_get_image", {"imageIds": [{"imageTag": "x"}]}),
        ("put_image_tag_mutability", {"imageTagMutability": "MUTABLE"}),
    ],
)
def test_unknown_repositories(ecr: Any, call: str, more: dict[str, Any]) -> None:
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException) as error:
        getattr(ecr, call)(repositoryName="none", **more)
    assert str(error.value).endswith(
        f"The repository with name 'none' does not exist in the registry with id '{ACCOUNT}'"
    )


def test_tags_of_repositories(ecr: Any) -> None:
    [found] = ecr.describe_repositories()["repositories"]
    arn = found["repositoryArn"]
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
    ecr.tag_resource(resourceArn=arn, tags=[{"Key": "a", "Value": "2"}])
    ecr.untag_resource(resourceArn=arn, tagKeys=["b", "none"])
    assert ecr.list_tags_for_resource(resourceArn=arn)["tags"] == [{"Key": "a", "Value": "2"}]
    reserved = [{"Key": "aws:x", "Value": ""}]
    code = refusal(ecr.tag_resource, resourceArn=arn, tags=reserved)
    assert code == "InvalidTagParameterException"
    other = f"{arn}x"
    code = refusal(ecr.list_tags_for_resource, resourceArn=other)
    assert code == "RepositoryNotFoundException"


def test_an_image_is_known_by_digest_and_tag(ecr: Any) -> None:
    push(ecr, "a", "v1")
    [found] = ecr.describe_images(repositoryName="team/train")["imageDetails"]
    assert found["imageDigest"] == digest("a")
    assert found["imageTags"] == ["v1"]
    assert found["imageSizeInBytes"] == 1110
    for ident in ({"imageTag": "v1"}, {"imageDigest": digest("a")}):
        [image] = ecr.batch_get_image(repositoryName="team/train", imageIds=[ident])["images"]
        assert image["imageManifest"] == manifest("a")
        assert image["imageId"]["imageDigest"] == digest("a")


def test_a_tag_moves_unless_tags_are_immutable(ecr: Any) -> None:
    push(ecr, "a", "v1")
    push(ecr, "b", "v1")
    assert tags(ecr) == {digest("a"): [], digest("b"): ["v1"]}
    ecr.put_image_tag_mutability(repositoryName="team/train", imageTagMutability="IMMUTABLE")
    with pytest.raises(ecr.exceptions.ImageTagAlreadyExistsException):
        push(ecr, "a", "v1")
    push(ecr, "a", "v2")
    assert tags(ecr) == {digest("a"): ["v2"], digest("b"): ["v1"]}


def test_the_same_image_twice(ecr: Any) -> None:
    push(ecr, "a", "v1")
    with pytest.raises(ecr.exceptions.ImageAlreadyExistsException):
        push(ecr, "a", "v1")
    push(ecr, "a", "v2")
    assert tags(ecr) == {digest("a"): ["v1", "v2"]}
    listed = ecr.list_images(repositoryName="team/train")["imageIds"]
    assert [one["imageTag"] for one in listed] == ["v1", "v2"]


def test_bad_manifests(ecr: Any) -> None:
    code = refusal(ecr.put_image, repositoryName="team/train", imageManifest="no")
    assert code == "InvalidParameterException"
    code = refusal(
        ecr.put_image,
        repositoryName="team/train",
        imageManifest=manifest("a"),
        imageDigest=digest("b"),
    )
    assert code == "ImageDigestDoesNotMatchException"


def test_images_are_listed_by_the_status_of_their_tags(ecr: Any) -> None:
    push(ecr, "a", "v1")
    push(ecr, "b")
    for status, name in (("TAGGED", "a"), ("UNTAGGED", "b")):
        [found] = ecr.list_images(repositoryName="team/train", filter={"tagStatus": status})[
            "imageIds"
        ]
        assert found["imageDigest"] == digest(name)


def test_an_image_that_is_not_there(ecr: Any) -> None:
    with pytest.raises(ecr.exceptions.ImageNotFoundException) as error:
        ecr.describe_images(repositoryName="team/train", imageIds=[{"imageTag": "v9"}])
    assert "imageId {imageDigest:'null', imageTag:'v9'}" in str(error.value)
    push(ecr, "a", "v1")
    failures = ecr.batch_get_image(
        repositoryName="team/train",
        imageIds=[
            {"imageTag": "v9"},
            {"imageDigest": "nonsense"},
            {"imageDigest": digest("a"), "imageTag": "v9"},
        ],
    )["failures"]
    assert [one["failureCode"] for one in failures] == [
        "ImageNotFound",
        "InvalidImageDigest",
        "ImageTagDoesNotMatchDigest",
    ]


def test_an_image_goes_with_its_last_tag(ecr: Any) -> None:
    push(ecr, "a", "v1")
    push(ecr, "a", "v2")
    remove = ecr.batch_delete_image
    gone = remove(repositoryName="team/train", imageIds=[{"imageTag": "v1"}])["imageIds"]
    assert gone == [{"imageDigest": digest("a"), "imageTag": "v1"}]
    assert tags(ecr) == {digest("a"): ["v2"]}
    remove(repositoryName="team/train", imageIds=[{"imageTag": "v2"}])
    assert tags(ecr) == {}


def test_an_image_goes_by_its_digest_with_all_its_tags(ecr: Any) -> None:
    push(ecr, "a", "v1")
    push(ecr, "a", "v2")
    gone = ecr.batch_delete_image(
        repositoryName="team/train", imageIds=[{"imageDigest": digest("a")}]
    )["imageIds"]
    assert [one["imageTag"] for one in gone] == ["v1", "v2"]
    assert tags(ecr) == {}


def test_a_repository_with_images_goes_only_by_force(ecr: Any) -> None:
    push(ecr, "a", "v1")
    code = refusal(ecr.delete_repository, repositoryName="team/train")
    assert code == "RepositoryNotEmptyException"
    ecr.delete_repository(repositoryName="team/train", force=True)
    ecr.create_repository(repositoryName="team/train")
    assert tags(ecr) == {}


def test_lifecycle_policies(ecr: Any) -> None:
    name, text = "team/train", json.dumps(RULES)
    code = refusal(ecr.get_lifecycle_policy, repositoryName=name)
    assert code == "LifecyclePolicyNotFoundException"
    ecr.put_lifecycle_policy(repositoryName=name, lifecyclePolicyText=text)
    assert ecr.get_lifecycle_policy(repositoryName=name)["lifecyclePolicyText"] == text
    bad = json.dumps({"rules": [{}]}).ljust(100)
    code = refusal(ecr.put_lifecycle_policy, repositoryName=name, lifecyclePolicyText=bad)
    assert code == "InvalidParameterException"
    ecr.delete_lifecycle_policy(repositoryName=name)
    code = refusal(ecr.delete_lifecycle_policy, repositoryName=name)
    assert code == "LifecyclePolicyNotFoundException"


def test_repository_policies(ecr: Any) -> None:
    name, text = "team/train", json.dumps(POLICY)
    code = refusal(ecr.get_repository_policy, repositoryName=name)
    assert code == "RepositoryPolicyNotFoundException"
    ecr.set_repository_policy(repositoryName=name, policyText=text)
    assert ecr.get_repository_policy(repositoryName=name)["policyText"] == text
    code = refusal(ecr.set_repository_policy, repositoryName=name, policyText="[]")
    assert code == "InvalidParameterException"
    ecr.delete_repository_policy(repositoryName=name)
    code = refusal(ecr.get_repository_policy, repositoryName=name)
    assert code == "RepositoryPolicyNotFoundException"


def test_a_password_says_whose_it_is_and_ends(rehearsal: Rehearsal, ecr: Any) -> None:
    [login] = ecr.get_authorization_token()["authorizationData"]
    user, _, password = base64.b64decode(login["authorizationToken"]).decode().partition(":")
    assert user == "AWS"
    assert login["expiresAt"].timestamp() == START + 12 * 3600
    rehearsal.restart()
    found = read_password(rehearsal.cloud, password)
    assert found is not None
    assert found.arn == f"arn:aws:iam::{ACCOUNT}:root"
    assert read_password(rehearsal.cloud, password[:-8] + "AAAAAAA=") is None
    assert read_password(rehearsal.cloud, "nonsense") is None
    rehearsal.advance(12 * 3600)
    assert read_password(rehearsal.cloud, password) is None
