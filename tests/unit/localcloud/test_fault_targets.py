"""Faults that could never hit anything are refused, and the words say why."""

from __future__ import annotations

import pytest

from runctl.localcloud.faults.orders import Order, OrderRefused, check_order
from runctl.localcloud.faults.targets import check_calls

SENSELESS = [
    (Order(effect="throttle", service="lambda"), "there is no service lambda, but ec2"),
    (Order(effect="deny", service="ec2", bucket="b"), "of s3, and not of ec2"),
    (Order(effect="deny", bucket="b", region="us-east-1"), "takes no region"),
    (Order(effect="reset", service="s3", region="us-east-1"), "takes no region"),
    (Order(effect="deny", service="ec2", operation="RunInstance"), "ec2 has no operation RunIns"),
    (Order(effect="deny", operation="RunInstance"), "no service has an operation RunInstance"),
    (Order(effect="deny", key="k", operation="RunInstances"), "s3 has no operation RunInstances"),
    (Order(effect="truncate", operation="GetObjects"), "s3 has no operation GetObjects"),
    (Order(effect="hide", operation="RunInstances", delay_s=1), "no describing operation RunI"),
    (Order(effect="kill", instance="i-1", for_s=1), "the effect kill has no end"),
]
SENSIBLE = [
    Order(effect="throttle"),
    Order(effect="throttle", service="ssm", operation="Send*"),
    Order(effect="deny", operation="GetObject"),
    Order(effect="truncate", operation="GetObject", bucket="b"),
    Order(effect="hide", operation="DescribeInstances", delay_s=1),
    Order(effect="hide", delay_s=1),
    Order(effect="capacity", region="us-east-1"),
    Order(effect="delay", service="s3", delay_s=1, operation="ListObjectsV2"),
    Order(effect="error", service="*", region="us-east-1", code="InternalError"),
]


def check(order: Order) -> None:
    check_order(order)
    check_calls(order)


@pytest.mark.parametrize(("order", "words"), SENSELESS)
def test_what_can_hit_nothing_is_refused(order: Order, words: str) -> None:
    with pytest.raises(OrderRefused, match=words):
        check(order)


@pytest.mark.parametrize("order", SENSIBLE)
def test_what_can_hit_is_taken(order: Order) -> None:
    check(order)
