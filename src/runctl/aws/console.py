"""What an instance has printed on its console."""

from __future__ import annotations

from runctl.aws.account import Account
from runctl.aws.errors import translated


def console_text(account: Account, instance_id: str) -> str:
    """Return the last 64 KiB at most; types that are not of Nitro tell what they told last."""
    ec2 = account.client("ec2")
    with translated(f"the console of {instance_id} cannot be read"):
        try:
            return _text(ec2.get_console_output(InstanceId=instance_id, Latest=True))
        except ec2.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "UnsupportedOperation":
                raise
        return _text(ec2.get_console_output(InstanceId=instance_id))


def _text(answer: dict[str, str]) -> str:
    return answer.get("Output", "")
