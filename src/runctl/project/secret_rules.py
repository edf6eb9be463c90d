"""How secrets look: names of files that hold them, and tokens whose form their issuers made.

The forms are those that gitleaks and detect-secrets look for, of which only the ones that tell
a secret without guessing are here: a prefix or a header, never a word such as ``password``.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from fnmatch import fnmatchcase, translate
from typing import NamedTuple

_SAMPLES = (".example", ".sample", ".template", ".dist", ".defaults")
NAMES = {
    "variables": (".env", ".env.*", "*.env"),
    "an SSH key": ("id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "id_*_sk", "*.ppk"),
    "a key store": ("*.p12", "*.pfx", "*.pkcs12", "*.jks", "*.keystore", "*.kdbx"),
    "passwords": (".netrc", "_netrc", ".pgpass", ".htpasswd", ".git-credentials"),
    "credentials": (
        ".pypirc",
        ".dockercfg",
        ".s3cfg",
        ".boto",
        ".vault-token",
        "kaggle.json",
        "credentials.json",
        "client_secret*.json",
        "secrets.toml",
    ),
}
_PATHS = {".aws/credentials", ".docker/config.json", ".kube/config", ".huggingface/token"}
LEAST_ENTROPY = 3.0
"""Bits a character: a token is drawn by chance, and ``ghp_xxxxxxxx`` is not."""


class Form(NamedTuple):
    """A token: found by one of its ``marks`` first, which is fast, and then by its whole form."""

    what: str
    marks: tuple[bytes, ...]
    whole: re.Pattern[bytes]


def _form(what: str, marks: str, whole: bytes) -> Form:
    return Form(what, tuple(mark.encode() for mark in marks.split()), re.compile(whole))


FORMS = (
    _form(
        "a private key",
        "PRIVATE",
        rb"-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:\\[rn]|\s){1,8}"
        rb"(?:[A-Z][\w-]{1,20}: [^\r\n]{1,80}(?:\\[rn]|\s){1,8}){0,4}[A-Za-z0-9+/]{40}",
    ),
    _form(
        "an AWS access key",
        "AKIA ASIA ABIA ACCA",
        rb"\b(?:AKIA|ASIA|ABIA|ACCA)(?![A-Z2-7]*EXAMPLE\b)[A-Z2-7]{16}\b",
    ),
    _form(
        "an AWS secret key",
        "aws_secret_access_key AWS_SECRET_ACCESS_KEY",
        rb"(?i:aws_secret_access_key)[\"']?\s{0,3}[:=]\s{0,3}[\"']?"
        rb"(?![A-Za-z0-9/+]*EXAMPLE)[A-Za-z0-9/+]{40}\b",
    ),
    _form("a GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", rb"\bgh[pousr]_[0-9A-Za-z]{36}\b"),
    _form("a GitHub token", "github_pat_", rb"\bgithub_pat_\w{82}\b"),
    _form("a GitLab token", "glpat-", rb"\bglpat-[\w-]{20}"),
    _form("a Hugging Face token", "hf_", rb"\bhf_[A-Za-z0-9]{34}\b"),
    _form("an OpenAI key", "T3BlbkFJ", rb"\bsk-[\w-]{20,200}T3BlbkFJ[\w-]{20}"),
    _form("an Anthropic key", "sk-ant-", rb"\bsk-ant-[a-z0-9]{1,20}-[\w-]{80,}"),
    _form("a Google key", "AIza", rb"\bAIza[\w-]{35}\b"),
    _form("a Slack token", "xoxb- xoxp- xoxe- xoxa-", rb"\bxox[abpe]-[\w-]{24,}"),
    _form("a Stripe key", "k_live_", rb"\b[rs]k_live_[0-9A-Za-z]{20,}"),
    _form("an npm token", "npm_", rb"\bnpm_[0-9A-Za-z]{36}\b"),
    _form("a PyPI token", "pypi-AgE", rb"\bpypi-AgEIcHlwaS5vcmc[\w-]{50,}"),
    _form("a SendGrid key", "SG.", rb"\bSG\.[\w-]{22}\.[\w-]{43}\b"),
    _form("a Databricks token", "dapi", rb"\bdapi[0-9a-f]{32}\b"),
    _form(
        "a Weights & Biases key",
        "WANDB_API_KEY wandb_api_key",
        rb"(?i:wandb_api_key)[\"']?\]?\s{0,3}[:=]\s{0,3}[\"']?[0-9a-f]{40}\b",
    ),
)


_ANY_NAME = re.compile("|".join(translate(glob) for globs in NAMES.values() for glob in globs))
_RUN = b"a" * 20
_AS_RUN = bytes(97 if chr(i).isalnum() or chr(i) in "_-" else 32 for i in range(128)) + b" " * 128
_OF_PARTS = (b"PRIVATE", b"secret_access_key", b"SECRET_ACCESS_KEY")


def judge_name(path: str) -> str | None:
    """Say what a file of this name holds, if it is one for secrets."""
    name = path.rpartition("/")[2]
    if "/".join(path.split("/")[-2:]) in _PATHS:
        return "credentials"
    if not _ANY_NAME.match(name) or name.endswith(_SAMPLES):
        return None
    return next(
        what for what, globs in NAMES.items() if any(fnmatchcase(name, glob) for glob in globs)
    )


def judge_text(data: bytes) -> tuple[str, int] | None:
    """Say what the first secret in the text is, and on which line, from 1."""
    if not _may_hold_a_token(data):
        return None
    for what, marks, whole in FORMS:
        if not any(mark in data for mark in marks):
            continue
        for found in whole.finditer(data):
            if _entropy(found[0]) >= LEAST_ENTROPY:
                return what, data.count(b"\n", 0, found.start()) + 1
    return None


def _may_hold_a_token(data: bytes) -> bool:
    """Tell at some 200 MB/s: a token has 20 letters, digits, ``_`` or ``-`` in a row.

    Those of base64 have other characters in between, and are told by what stands before them.
    """
    return _RUN in data.translate(_AS_RUN) or any(mark in data for mark in _OF_PARTS)


def _entropy(token: bytes) -> float:
    total = len(token)
    return -sum(n / total * math.log2(n / total) for n in Counter(token).values())
