"""The instance metadata service, versions 1 and 2, for every instance of a cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from runctl.localcloud.http.messages import Request, Response
from runctl.localcloud.metadata.tokens import make_token, read_token
from runctl.localcloud.metadata.tree import build_tree
from runctl.localcloud.state.records import Record

if TYPE_CHECKING:
    from runctl.localcloud.cloud import Cloud

_TOKEN_PATH = ["latest", "api", "token"]
_TTL = "x-aws-ec2-metadata-token-ttl-seconds"
_MOST_TTL_S = 21600
_VERSIONS = (
    "1.0", "2007-01-19", "2007-03-01", "2007-08-29", "2007-10-10", "2007-12-15", "2008-02-01",
    "2008-09-01", "2009-04-04", "2011-01-01", "2011-05-01", "2012-01-12", "2014-02-25",
    "2014-11-05", "2015-10-20", "2016-04-19", "2016-06-30", "2016-09-02", "2018-03-28",
    "2018-08-17", "2018-09-24", "2019-10-01", "2020-10-27", "2021-01-03", "2021-03-23",
    "2021-07-15", "2022-09-24", "2024-04-11", "latest",
)  # fmt: skip
_REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
}


class Metadata:
    """Answers what instances ask about themselves; ``request.via`` says which one asks."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._key = cloud.place.stamp.token.encode()

    def respond(self, request: Request) -> Response:
        """Answer one request; raises nothing."""
        place = self._find(request.via or "")
        if place is None:
            return _refuse(404)
        region, instance = place
        if instance.get("MetadataOptions", {}).get("HttpEndpoint") == "disabled":
            return _refuse(403)
        parts = [unquote(part) for part in request.path.split("/") if part]
        if request.method == "PUT":
            return self._give_token(request, instance, parts)
        if request.method not in ("GET", "HEAD") or parts == _TOKEN_PATH:
            return _refuse(405)
        return self._read(request, region, instance, parts)

    def _find(self, ident: str) -> tuple[str, Record] | None:
        records = self._cloud.records
        for region in records.regions("instance"):
            instance = records.peek("instance", region, ident)
            if instance is not None:
                return region, instance
        return None

    # ------------------------------------------------------------ tokens

    def _give_token(self, request: Request, instance: Record, parts: list[str]) -> Response:
        if parts != _TOKEN_PATH:
            return _refuse(405)
        if "x-forwarded-for" in request.headers:
            return _refuse(403)
        ttl = request.headers.get(_TTL, "")
        if not (ttl.isascii() and ttl.isdigit() and 1 <= int(ttl) <= _MOST_TTL_S):
            return _refuse(400)
        ends = self._cloud.clock() + int(ttl)
        token = make_token(self._key, instance["InstanceId"], ends)
        return _answer(token.encode(), "text/plain", {_TTL: ttl})

    def _rest_of_token(self, request: Request, instance: Record) -> float | None:
        """Return how long the token of a request is still good; None without a good one."""
        token = request.headers.get("x-aws-ec2-metadata-token", "")
        ends = read_token(self._key, instance["InstanceId"], token)
        return None if ends is None or ends <= self._cloud.clock() else ends - self._cloud.clock()

    # ------------------------------------------------------------ reading

    def _read(self, request: Request, region: str, instance: Record, parts: list[str]) -> Response:
        rest_s = self._rest_of_token(request, instance)
        if rest_s is None and _needs_token(request, instance):
            return _refuse(401)
        headers = {} if rest_s is None else {_TTL: str(int(rest_s))}
        found = self._look_up(region, instance, parts)
        if found is None:
            return _refuse(404)
        if isinstance(found, bytes):
            return _answer(found, "application/octet-stream", headers)
        is_document = found.startswith(("{", "["))
        kind = "application/json" if is_document and parts[1] == "dynamic" else "text/plain"
        return _answer(found.encode(), kind, headers)

    def _look_up(self, region: str, instance: Record, parts: list[str]) -> str | bytes | None:
        if not parts:
            return "\n".join(_VERSIONS)
        if parts[0] not in _VERSIONS:
            return None
        node: Any = build_tree(self._cloud, region, instance)
        for part in parts[1:]:
            node = _step(node, part)
        if isinstance(node, dict):
            return _list(node)
        found: str | bytes | None = node() if callable(node) else node
        return found


def _needs_token(request: Request, instance: Record) -> bool:
    """Whether a request without a good token is refused: one with a bad token always is."""
    is_required = instance.get("MetadataOptions", {}).get("HttpTokens") == "required"
    return is_required or "x-aws-ec2-metadata-token" in request.headers


def _step(node: Any, name: str) -> Any:
    if not isinstance(node, dict):
        return None
    if name in node:
        return node[name]
    numbered = [key for key in node if key.startswith(f"{name}=")]
    return node[numbered[0]] if numbered else None


def _list(node: dict[str, Any]) -> str | None:
    there = {name: item for name, item in node.items() if item is not None}
    lines = [
        f"{name}/" if isinstance(item, dict) and "=" not in name else name
        for name, item in there.items()
    ]
    return "\n".join(lines) or None


def _answer(body: bytes, kind: str, headers: dict[str, str]) -> Response:
    told = {"Content-Type": kind, "Accept-Ranges": "none", "Server": "EC2ws"}
    return Response(200, told | headers, body)


def _refuse(status: int) -> Response:
    title = f"{status} - {_REASONS[status]}"
    body = (
        '<?xml version="1.0" encoding="iso-8859-1"?>\n'
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Transitional//EN"\n'
        '         "http://www.w3.org/TR/xhtml1/DTD/xhtml1-transitional.dtd">\n'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">\n'
        f" <head>\n  <title>{title}</title>\n </head>\n"
        f" <body>\n  <h1>{title}</h1>\n </body>\n</html>\n"
    )
    return Response(status, {"Content-Type": "text/html", "Server": "EC2ws"}, body.encode())
