"""From a signed request to an answer: which operation, with which parameters, in one transaction.

An operation is a function from a ``Call`` to the members of its answer. What it changes is
committed when it returns, and undone when it raises; a dry run is an operation whose changes are
always undone. What reaches beyond the records (a machine, a file) is asked for with ``call.then``
and happens after the commit.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from runctl.localcloud.http.messages import Request, Response
from runctl.localcloud.identity import Principal
from runctl.localcloud.state.records import Table, Transaction
from runctl.localcloud.wire import answers
from runctl.localcloud.wire.error_answers import write_error
from runctl.localcloud.wire.errors import AwsError
from runctl.localcloud.wire.models import load_operation, load_service
from runctl.localcloud.wire.requests import Parameters, parse_form, parse_json, parse_query
from runctl.localcloud.wire.validation import validate

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_LOG = logging.getLogger(__name__)
BODY_LIMIT_BYTES = 4 << 20


@dataclass
class Call:
    """One call of one operation."""

    cloud: Cloud
    service: str
    operation: str
    region: str
    caller: Principal
    parameters: Parameters
    request_id: str
    transaction: Transaction
    afterwards: list[Callable[[], None]] = field(default_factory=list)
    undoing: list[Callable[[], None]] = field(default_factory=list)

    def table(self, kind: str, region: str | None = None) -> Table:
        """Return the records of a kind, in the region of the call unless another is named."""
        return self.transaction.table(kind, self.region if region is None else region)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a parameter."""
        return self.parameters.get(name, default)

    def then(self, work: Callable[[], None]) -> None:
        """Do it on another thread, once the changes are committed."""
        self.afterwards.append(work)

    def undo(self, work: Callable[[], None]) -> None:
        """Do it if the changes are not committed: for what had to be taken outside the records."""
        self.undoing.append(work)

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """Undo what is done inside, and nothing else, where it ends in an error."""
        outer, done, undone = self.transaction, len(self.afterwards), len(self.undoing)
        try:
            with self.cloud.records.attempt() as self.transaction:
                yield
        except BaseException:
            del self.afterwards[done:]
            self.take_back(undone)
            raise
        finally:
            self.transaction = outer

    def take_back(self, since: int = 0) -> None:
        """Undo what was taken outside the records."""
        while len(self.undoing) > since:
            self.undoing.pop()()

    def settle(self, kind: str, ident: str) -> None:
        """Bring about what a record says is under way, once it is committed."""
        self.then(lambda: self.cloud.settle(kind, self.region, ident))


Operation = Callable[[Call], Mapping[str, Any] | None]
OPERATIONS: dict[tuple[str, str], Operation] = {}


def operation(service: str, *names: str) -> Callable[[Operation], Operation]:
    """Register what answers an operation, or several."""

    def register(function: Operation) -> Operation:
        OPERATIONS.update({(service, name): function for name in names})
        return function

    return register


class Api:
    """Answers every service but S3."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def respond(self, request: Request, service: str, region: str, caller: Principal) -> Response:
        """Answer one request, whose signature has been verified."""
        request_id = str(uuid4())
        name = ""
        try:
            form_or_body = self._read(request)
            name = _operation_name(request, form_or_body)
            call = self._prepare(service, name, region, caller, form_or_body, request_id)
            answer = self._cloud.faults.after(call, self._perform(call))
            self._note(service, name, region)
            return _write(service, name, answer, request_id)
        except AwsError as error:
            self._note(service, name, region, error)
            return write_error(request, service, error, request_id)
        except ConnectionError:
            # A fault that was asked for; or the client has hung up, and nobody is left to see it.
            return Response(500, is_reset=True)
        except Exception:  # noqa: BLE001 - a fault of ours is answered in the protocol, never as HTML
            _LOG.exception("%s:%s", service, name)
            words = "An internal error has occurred; the log of the local cloud tells which."
            fault = AwsError("InternalError", words, 500)
            self._note(service, name, region, fault)
            return write_error(request, service, fault, request_id)

    def _note(self, service: str, name: str, region: str, error: AwsError | None = None) -> None:
        code = error.code if error is not None else None
        self._cloud.journal.note("call", service=service, operation=name, region=region, error=code)

    def _read(self, request: Request) -> bytes:
        body = request.body.read(BODY_LIMIT_BYTES + 1)
        while len(body) <= BODY_LIMIT_BYTES and (more := request.body.read(BODY_LIMIT_BYTES)):
            body += more
        if len(body) > BODY_LIMIT_BYTES:
            raise AwsError("RequestEntityTooLarge", "the body is too large", 413)
        return body or request.query.encode()

    def _prepare(
        self,
        service: str,
        name: str,
        region: str,
        caller: Principal,
        body: bytes,
        request_id: str,
    ) -> Call:
        model = load_operation(service, name)
        if model is None:
            raise _unknown(service, name)
        protocol = load_service(service).metadata["protocol"]
        if protocol == "json":
            parameters = parse_json(model, body)
        else:
            parameters = parse_query(model, parse_form(body), protocol)
        empty = Transaction({})
        return Call(self._cloud, service, name, region, caller, parameters, request_id, empty)

    def _perform(self, call: Call) -> Mapping[str, Any]:
        self._cloud.faults.before(call)
        self._cloud.access.check(call)
        validate(call.service, call.operation, call.parameters)
        perform = OPERATIONS.get((call.service, call.operation))
        if perform is None:
            raise AwsError(
                "UnsupportedOperation",
                f"The local cloud does not support {call.service}:{call.operation}.",
            )
        try:
            answer = self._commit(call, perform)
        except BaseException:
            call.take_back()
            raise
        for work in call.afterwards:
            self._cloud.jobs.soon(work)
        return answer

    def _commit(self, call: Call, perform: Operation) -> Mapping[str, Any]:
        with self._cloud.records.transaction() as call.transaction:
            answer = perform(call) or {}
            if call.get("DryRun"):
                words = "Request would have succeeded, but DryRun flag is set."
                raise AwsError("DryRunOperation", words, 412)
            return answer


def _operation_name(request: Request, body: bytes) -> str:
    target = request.headers.get("x-amz-target", "")
    if target:
        return target.rpartition(".")[2]
    name = parse_form(body).get("Action", "")
    if not name:
        raise AwsError("MissingAction", "The request must contain an Action or a target", 400)
    return name


def _unknown(service: str, name: str) -> AwsError:
    if load_service(service).metadata["protocol"] == "json":
        return AwsError("UnknownOperationException", f"there is no operation {name}")
    return AwsError("InvalidAction", f"The action {name} is not valid for this web service.", 400)


def _write(service: str, name: str, answer: Mapping[str, Any], request_id: str) -> Response:
    model = load_operation(service, name)
    assert model is not None  # noqa: S101 - it was looked up when the call was prepared
    protocol = load_service(service).metadata["protocol"]
    headers = {"x-amzn-requestid": request_id, "Content-Type": answers.XML}
    if protocol == "json":
        headers["Content-Type"] = answers.JSON
        return Response(200, headers, answers.write_json(model, answer))
    write = answers.write_ec2 if protocol == "ec2" else answers.write_query
    return Response(200, headers, write(model, answer, request_id))
