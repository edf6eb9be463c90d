"""What a wish may say, checked before anything is asked of AWS."""

from __future__ import annotations

import ipaddress
import re

from runctl.errors import UsageError
from runctl.model.setup import SetupWish

_BUCKET = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
# Neither what stands for something in a policy, nor a quote.
_PLACE = re.compile(rf'(?:s3://)({_BUCKET})(?:/([^*?$"]*))?')
_KEY = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+")
_REPOSITORY = re.compile(r"(?:arn:aws[a-z-]*:ecr:[a-z0-9-]+:[0-9]{12}:repository/)?[a-z0-9._/-]+")


def check_wish(wish: SetupWish) -> None:
    """Raise UsageError naming the first thing that cannot be."""
    for url in wish.reads:
        split_place(url, "--read")
    for url in wish.writes:
        split_place(url, "--write")
    if wish.kms_key is not None and not is_key(wish.kms_key):
        raise UsageError(
            f"--kms-key: {wish.kms_key!r} is not the ARN of a key",
            hint="aws kms describe-key --key-id alias/NAME --query KeyMetadata.Arn",
        )
    for repository in wish.repositories:
        if not _REPOSITORY.fullmatch(repository):
            raise UsageError(
                f"--ecr: {repository!r} is neither the name of a repository nor its ARN",
                hint="aws ecr describe-repositories --query repositories[].repositoryName",
            )
    for block in wish.ssh_from:
        read_block(block)


def is_key(text: str) -> bool:
    """Tell whether it is the ARN of a key: policies take no alias."""
    return _KEY.fullmatch(text) is not None


def split_place(url: str, option: str = "--read") -> tuple[str, str]:
    """Return bucket and prefix, which may be empty: all of the bucket."""
    found = _PLACE.fullmatch(url)
    if found is None:
        raise UsageError(f"{option}: {url!r} is not of the form s3://bucket/prefix",
                         hint=f"runctl aws setup {option} s3://bucket/prefix")  # fmt: skip
    return found[1], (found[2] or "").strip("/")


def read_block(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Return a block of addresses; one address is a block of itself."""
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise UsageError(
            f"--ssh-from: {text!r} is not a block of addresses: {error}",
            hint="runctl aws setup --ssh-from 203.0.113.7/32",
        ) from error
