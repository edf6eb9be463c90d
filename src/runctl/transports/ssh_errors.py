"""What ssh says when it fails, as errors of ours."""

from __future__ import annotations

from runctl.errors import (
    AuthError,
    ConflictError,
    IntegrityError,
    RefusedError,
    RunctlError,
    TransportError,
)

_NOT_REACHED = (
    ("Connection refused", "nothing listens there; sshd may not have started yet"),
    ("timed out", "see that its security group and its route let port 22 in"),
    ("not responding", "aws ec2 describe-instances"),
    ("No route to host", "see that it runs, and that this machine has a route to it"),
    ("Could not resolve hostname", "see that the name is spelt as in DNS"),
)


def failure(host: str, known_hosts: str, words: str) -> RunctlError:
    """Return the error for ssh's own words; ``known_hosts`` is the file of pinned keys."""
    if "HOST IDENTIFICATION HAS CHANGED" in words:
        return IntegrityError(
            f"{host} shows another host key than the one that was pinned: it is another machine, "
            "or somebody is in between",
            hint=f"if you know that it was made anew: rm '{known_hosts}'",
        )
    if "Host key verification failed" in words:
        return RefusedError(
            f"no host key of {host} is pinned, and none is accepted unseen",
            hint=f"put the key that its console shows into '{known_hosts}'",
        )
    if "Permission denied" in words:
        return AuthError(
            f"{host} lets nobody in with this key: {_last(words)}",
            hint="see that the identity file is of the instance's key pair, with mode 0600",
        )
    if "cannot listen to port" in words:
        return ConflictError(
            f"a port of this machine is taken: {_last(words)}",
            hint="runctl ssh RUN --forward LOCAL:PORT, with another LOCAL",
        )
    hint = next(
        (hint for sign, hint in _NOT_REACHED if sign in words), "aws ec2 describe-instances"
    )
    return TransportError(f"{host} cannot be reached over SSH: {_last(words)}", hint=hint)


def _last(words: str) -> str:
    return words.splitlines()[-1].strip()
