"""Who may do what: the account's root everything, others what their policies allow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from runctl.localcloud.identity import Principal
from runctl.localcloud.services.iam import denials
from runctl.localcloud.services.iam.needs import Need, plain
from runctl.localcloud.services.iam.needs_ec2 import needs_of_ec2
from runctl.localcloud.services.iam.needs_others import (
    needs_of_ecr,
    needs_of_iam,
    needs_of_ssm,
    needs_of_sts,
)
from runctl.localcloud.services.iam.policies import (
    Ask,
    Decision,
    compile_policy,
    evaluate_resource,
)
from runctl.localcloud.services.iam.rights import (
    caller_of,
    holder_of,
    request_context,
    rights_of,
)
from runctl.localcloud.wire.errors import AwsError

if TYPE_CHECKING:
    from runctl.localcloud.api import Call
    from runctl.localcloud.cloud import Cloud

_NEEDS: dict[str, Callable[[Call], Iterable[Need]]] = {
    "ec2": needs_of_ec2,
    "ecr": needs_of_ecr,
    "iam": needs_of_iam,
    "ssm": needs_of_ssm,
    "sts": needs_of_sts,
}
Conditions = Mapping[str, str | Sequence[str]]

# With these, the owner of a bucket can always mend a policy that shuts everybody out.
_ROOT_ALWAYS = ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy")


class Access:
    """Checks calls against the policies of the caller."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def check(self, call: Call) -> None:
        """Raise the service's own error where the caller may not do it."""
        who = call.caller
        if who.is_root:
            return
        rights = rights_of(self._cloud, who, holder_of(self._cloud, who))
        known = request_context(self._cloud, who, call.region)
        for need in _needs_of(call):
            ask = Ask(need.action, need.resource, {**known, **need.context})
            verdict = rights.judge(ask)
            if not verdict.is_allowed:
                raise denials.denial(self._cloud, call.service, who, ask, verdict)

    def check_s3(
        self,
        caller: Principal | None,
        action: str,
        resource_arn: str,
        conditions: Conditions,
        bucket_policy: str | None,
    ) -> None:
        """Raise S3's AccessDenied where the caller (None: nobody in particular) may not do it.

        ``conditions`` are the request's own keys (``s3:prefix``, ``s3:x-amz-acl``, …); they go
        before the ones that every request has.
        """
        if caller is not None and caller.is_root and bucket_policy is None:
            return
        given = {k.lower(): [v] if isinstance(v, str) else v for k, v in conditions.items()}
        known = {**request_context(self._cloud, caller), **given}
        ask = Ask(action, resource_arn, known)
        if caller is None or caller.is_root:
            self._check_bucket(caller, ask, bucket_policy)
            return
        rights = rights_of(self._cloud, caller, holder_of(self._cloud, caller))
        if bucket_policy is None:
            verdict = rights.judge(ask)
        else:
            named = caller_of(self._cloud, caller)
            verdict = rights.judge(ask, compile_policy(bucket_policy), named)
        if not verdict.is_allowed:
            raise denials.denial(self._cloud, "s3", caller, ask, verdict)

    def _check_bucket(self, caller: Principal | None, ask: Ask, text: str | None) -> None:
        """Check what only the policy of the bucket decides: an anonymous caller, and the root."""
        decision = Decision.NOT_ALLOWED
        if text is not None:
            who = caller_of(self._cloud, caller) if caller is not None else None
            decision = evaluate_resource(compile_policy(text), ask, who)
        needed = decision is Decision.ALLOWED
        if caller is not None:
            needed = decision is not Decision.DENIED or ask.action in _ROOT_ALWAYS
        if not needed:
            raise AwsError("AccessDenied", "Access Denied", 403)


def _needs_of(call: Call) -> Iterable[Need]:
    find = _NEEDS.get(call.service)
    return [plain(call)] if find is None else find(call)
