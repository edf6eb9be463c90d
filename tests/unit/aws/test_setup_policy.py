"""The policies of a set-up, and the same for other tools: from one blueprint."""

from __future__ import annotations

import json
from typing import Any

import pytest

from runctl.errors import UsageError
from runctl.model.setup import SetupWish
from runctl.providers.aws.setup.blueprint import Blueprint
from runctl.providers.aws.setup.lifecycle import has_rules, merge_rules, without_rules
from runctl.providers.aws.setup.place import Place
from runctl.providers.aws.setup.policy import is_same
from runctl.providers.aws.setup.printing import FORMS
from runctl.providers.aws.setup.wishes import check_wish, split_place

OWNER, ACCOUNT = "usr-abcdefghijklmnop", "123456789012"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
FULL = SetupWish(
    reads=("s3://data/in", "s3://all"),
    kms_key=KEY,
    repositories=("team/image",),
    ssh_from=("203.0.113.7", "2001:db8::/32"),
)
ACTIONS_OF_LEAST = {
    "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts", "s3:ListBucket", "ec2:DescribeInstances", "ec2:DescribeTags",
    "ec2:DescribeVolumes", "ec2:StopInstances", "ec2:TerminateInstances", "ec2:CreateTags",
}  # fmt: skip


def _plan(wish: SetupWish, partition: str = "aws", region: str = "us-east-1") -> Blueprint:
    return Blueprint(Place(ACCOUNT, region, OWNER, partition), wish)


def _statements(wish: SetupWish) -> dict[str, Any]:
    return {one["Sid"]: one for one in _plan(wish).policy["Statement"]}


def test_the_least_is_the_prefix_and_what_bears_the_tag() -> None:
    found = _statements(SetupWish())
    assert {action for one in found.values() for action in one["Action"]} == ACTIONS_OF_LEAST
    bucket = f"arn:aws:s3:::runctl-{ACCOUNT}-us-east-1"
    assert found["LedgerObjects"]["Resource"] == f"{bucket}/{OWNER}/*"
    assert found["LedgerListing"]["Condition"]["StringLike"]["s3:prefix"] == [OWNER, f"{OWNER}/*"]
    for sid in ("EndOwnInstances", "TagOwnThings"):
        assert found[sid]["Condition"]["StringEquals"] == {"ec2:ResourceTag/runctl:owner": OWNER}
    everywhere = [sid for sid, one in found.items() if one["Resource"] == "*"]
    assert everywhere == ["LookAtInstances"]


def test_a_wish_adds_exact_statements_and_changes_none() -> None:
    least, full = _statements(SetupWish()), _statements(FULL)
    assert {sid: full[sid] for sid in least} == least
    added = {sid: one for sid, one in full.items() if sid not in least}
    assert list(added) == ["Read1", "ReadListing1", "Read2", "ReadListing2", "UseKey",
                           "SignInToRegistry", "PullImages"]  # fmt: skip
    assert added["Read1"]["Resource"] == ["arn:aws:s3:::data/in/*", "arn:aws:s3:::data/in"]
    assert added["Read2"]["Resource"] == ["arn:aws:s3:::all/*"]
    assert "Condition" not in added["ReadListing2"]
    assert added["UseKey"]["Resource"] == KEY
    repository = f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/team/image"
    assert added["PullImages"]["Resource"] == [repository]
    assert not [one for one in added.values() for action in one["Action"] if "Put" in action]


def test_other_partitions_have_their_own_names() -> None:
    plan = _plan(FULL, "aws-cn", "cn-north-1")
    assert plan.trust["Statement"][0]["Principal"] == {"Service": "ec2.amazonaws.com.cn"}
    assert "arn:aws:s3" not in json.dumps(plan.policy)
    assert plan.managed_policy.startswith("arn:aws-cn:iam::aws:policy/")


@pytest.mark.parametrize("wish", [SetupWish(), FULL], ids=["least", "full"])
def test_every_form_holds_the_same_policies(wish: SetupWish) -> None:
    plan = _plan(wish)
    told = {form: json.loads(json.dumps(make(plan))) for form, make in FORMS.items()}
    terraform = {kind: one["runctl"] for kind, one in told["terraform"]["resource"].items()}
    stack = {name: one["Properties"] for name, one in told["cloudformation"]["Resources"].items()}
    [within] = stack["Role"]["Policies"]
    texts = (
        terraform["aws_iam_role_policy"]["policy"],
        terraform["aws_s3_bucket_policy"]["policy"],
    )
    policy, bucket_policy = map(json.loads, texts)
    assert told["json"]["policy"] == within["PolicyDocument"] == policy == plan.policy
    assert told["json"]["trust"] == stack["Role"]["AssumeRolePolicyDocument"] == plan.trust
    printed = stack["BucketPolicy"]["PolicyDocument"]
    assert told["json"]["bucket_policy"] == printed == bucket_policy
    names = {terraform["aws_iam_role"]["name"], stack["Role"]["RoleName"], plan.role}
    assert names == {f"runctl-{OWNER}"}
    assert len(terraform["aws_security_group"]["ingress"]) == len(wish.ssh_from)
    assert len(stack["Group"]["SecurityGroupIngress"]) == len(wish.ssh_from)
    assert stack["Bucket"]["BucketName"] == terraform["aws_s3_bucket"]["bucket"] == plan.bucket


def test_openings_are_blocks_each_once() -> None:
    twice = SetupWish(ssh_from=("203.0.113.7", "203.0.113.7/32", "2001:db8::/32"))
    assert [one.block for one in _plan(twice).openings] == ["203.0.113.7/32", "2001:db8::/32"]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (SetupWish(reads=("data/in",)), "--read"),
        (SetupWish(reads=("s3://data/*",)), "--read"),
        (SetupWish(reads=("s3://data/${aws:username}",)), "--read"),
        (SetupWish(kms_key="alias/mine"), "--kms-key"),
        (SetupWish(repositories=("team/*",)), "--ecr"),
        (SetupWish(ssh_from=("10.0.0.1/8",)), "--ssh-from"),
        (SetupWish(ssh_from=("everybody",)), "--ssh-from"),
    ],
)
def test_a_wish_that_cannot_be_is_told(wish: SetupWish, words: str) -> None:
    with pytest.raises(UsageError, match=words) as caught:
        check_wish(wish)
    assert caught.value.hint


def test_a_prefix_is_without_slashes_at_its_ends() -> None:
    assert split_place("s3://data/in/") == ("data", "in")
    assert split_place("s3://data") == ("data", "")


# ---------------------------------------------------------------- what AWS writes in other ways


def test_documents_are_the_same_whatever_their_order() -> None:
    assert is_same({"Action": ["a", "b"]}, {"Action": ["b", "a"]})
    assert is_same({"Action": "a"}, {"Action": ["a"]})
    assert not is_same({"Action": ["a"]}, {"Action": ["a", "b"]})
    assert not is_same({"Action": ["a"]}, {"NotAction": ["a"]})


def test_rules_of_others_stay_and_old_ones_of_ours_go() -> None:
    ours = _plan(SetupWish()).lifecycle
    old_form = {"ID": "theirs", "Status": "Enabled", "Prefix": "x/", "Expiration": {"Days": 3}}
    nameless = {"Status": "Disabled", "Filter": {}, "Expiration": {"Days": 9}}
    stale = {**ours[1], "Expiration": {"Days": 30}}
    merged = merge_rules([old_form, nameless, stale], ours)
    assert merged[0]["Filter"] == {"Prefix": "x/"}
    assert "Prefix" not in merged[0]
    assert merged[1:] == [nameless, *ours]
    assert has_rules(merged, ours)
    assert not has_rules([stale, ours[0]], ours)
    assert without_rules(merged, [ours[1]["ID"]]) == merged[:-1]
