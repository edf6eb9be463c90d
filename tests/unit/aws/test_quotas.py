"""Which quota a type counts against: the table of the local cloud is AWS's own."""

from __future__ import annotations

import pytest

from runctl.localcloud.services import quotatable
from runctl.providers.aws.quotas import quota_of

TYPES = ("t3.micro", "m7i.large", "g5.xlarge", "gr6.4xlarge", "vt1.3xlarge", "p3.2xlarge",
         "p4d.24xlarge", "p5.48xlarge", "p5en.48xlarge", "x2idn.16xlarge", "inf2.xlarge",
         "trn1.2xlarge", "dl1.24xlarge", "f1.2xlarge", "z1d.large", "is4gen.large")  # fmt: skip


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("is_spot", [True, False])
def test_it_is_the_one_that_aws_counts(type_: str, is_spot: bool) -> None:
    counted = quotatable.quota_of(type_, is_spot=is_spot)
    assert quota_of(type_, is_spot=is_spot) == (counted.code, counted.name)
