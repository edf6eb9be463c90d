"""What an instance itself may do: asked over its transport, with the role that it has."""

from __future__ import annotations

import json
import secrets
from functools import partial
from importlib import resources

from runctl.engine.session import Session
from runctl.engine.there import check_ledger
from runctl.errors import AuthError, TransportError
from runctl.model.setup import Finding
from runctl.providers.aws.preflight.judging import NotKnown, judge
from runctl.store.s3 import split_url
from runctl.transports.api import Completed

_NO_PROGRAM = 75
_START = f'command -v python3 >/dev/null || exit {_NO_PROGRAM}; exec python3 -I - "$@"'
_DENIED = (401, 403)


def look_from(session: Session, instance: str) -> Finding:
    """Let an instance put, get and delete an object of the ledger. Nothing has to be there yet."""
    return judge(f"ledger from {instance}", partial(_try_ledger, session, instance))


def _try_ledger(session: Session, instance: str) -> str:
    url, plan = session.ledger.objects.url, check_ledger(session)
    bucket, prefix = split_url(url)
    key = "/".join(filter(None, (prefix, "transit", secrets.token_hex(16))))
    script = resources.files("runctl.providers.aws.preflight").joinpath("bucket_probe.py")
    argv = ["sh", "-c", _START, "probe", plan.endpoint or "-", plan.region, bucket, key]
    done = session.provider("aws").connect(instance).exec(argv, stdin=script.read_bytes())
    _judge_answer(instance, url, done)
    return f"its role may put, get and delete below {url}"


def _judge_answer(instance: str, url: str, done: Completed) -> None:
    """Raise AuthError where S3 refuses, TransportError where it is not reached."""
    if done.status == _NO_PROGRAM:
        raise NotKnown(f"the image of {instance} has no python3 to ask with")
    if done.status != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines() or [str(done.status)]
        raise TransportError(f"{instance} could not be asked: {words[-1]}")
    told = json.loads(done.stdout)
    refused = {step: status for step, status in told["steps"].items() if status not in (200, 204)}
    for step, status in refused.items():
        kind = AuthError if status in _DENIED else TransportError
        raise kind(f"{instance} may not {step} below {url}: S3 answers {status}",
                   hint="runctl aws check")  # fmt: skip
    if "problem" in told:
        raise TransportError(f"{instance} does not reach {url}: {told['problem']}",
                             hint="runctl aws check")  # fmt: skip
