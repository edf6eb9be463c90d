"""Keys as bytes: made, read in the forms that AWS takes, and told by their fingerprints."""

from __future__ import annotations

import base64
import binascii
import hashlib
import subprocess
import tempfile
from pathlib import Path

KINDS = {"ssh-rsa": "rsa", "ssh-ed25519": "ed25519"}
_RSA_BITS = 1024
_SEQUENCE, _INTEGER, _BITS, _OCTETS = 0x30, 0x02, 0x03, 0x04
# SEQUENCE { OBJECT IDENTIFIER rsaEncryption, NULL }
_RSA = bytes.fromhex("300d06092a864886f70d0101010500")
_SSH2 = "---- BEGIN SSH2 PUBLIC KEY ----"


class KeyRefused(Exception):
    """It is no key, or none of those that AWS takes."""


def make_pair(kind: str) -> tuple[str, str]:
    """Make a pair; return its private half in PEM, and its public half in OpenSSH's form."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "key")
        size = ["-b", "2048", "-m", "PEM"] if kind == "rsa" else []
        subprocess.run(
            ["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", "", "-f", str(file)],
            check=True,
            capture_output=True,
        )
        return file.read_text(), file.with_suffix(".pub").read_text().strip()


def read_public(text: str) -> str:
    """Return a public key as ``ssh-… BASE64``: OpenSSH's form, SSH2's (RFC 4716), or DER."""
    words = text.split()
    if text.startswith(_SSH2):
        blob = _decode("".join(_body_of_ssh2(text)))
    elif len(words) == 1:
        blob = _blob_of_der(_decode(words[0]))
    else:
        blob = _decode(words[1]) if len(words) > 1 else b""
    kind = _name_in(blob)
    is_told_right = len(words) < 2 or text.startswith(_SSH2) or words[0] == kind
    if kind not in KINDS or not is_told_right:
        raise KeyRefused
    if kind == "ssh-rsa" and _modulus(blob).bit_length() < _RSA_BITS:
        raise KeyRefused
    return f"{kind} {base64.b64encode(blob).decode()}"


def fingerprint_of_created(kind: str, private: str, public: str) -> str:
    """Return AWS's fingerprint of a pair that it has made: of an RSA key, of its private half."""
    if kind != "rsa":
        return _sha256(_decode(public.split()[1]))
    der = _decode("".join(line for line in private.splitlines() if "-----" not in line))
    version = _der(_INTEGER, b"\0")
    return _colons(hashlib.sha1(_der(_SEQUENCE, version + _RSA + _der(_OCTETS, der))))  # noqa: S324


def fingerprint_of_imported(public: str) -> str:
    """Return AWS's fingerprint of a public key that was brought."""
    name, text = public.split()[:2]
    blob = _decode(text)
    if name != "ssh-rsa":
        return _sha256(blob)
    _, exponent, modulus = _fields(blob)
    key = _der(_SEQUENCE, _der(_INTEGER, modulus) + _der(_INTEGER, exponent))
    return _colons(hashlib.md5(_der(_SEQUENCE, _RSA + _der(_BITS, b"\0" + key))))  # noqa: S324


def _decode(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise KeyRefused from error


def _body_of_ssh2(text: str) -> list[str]:
    """Return the lines between the headers, which have a colon, and the end."""
    lines = text.splitlines()[1:-1]
    body: list[str] = []
    is_header = False
    for line in lines:
        is_header = is_header or ":" in line
        if not is_header:
            body.append(line)
        is_header = is_header and line.endswith("\\")
    return body


def _name_in(blob: bytes) -> str:
    fields = _fields(blob)
    return fields[0].decode("ascii", "replace") if fields else ""


def _modulus(blob: bytes) -> int:
    fields = _fields(blob)
    return int.from_bytes(fields[2]) if len(fields) == 3 else 0


def _fields(blob: bytes) -> list[bytes]:
    """Return the fields of an SSH blob: each is preceded by its length."""
    fields: list[bytes] = []
    while len(blob) >= 4:
        size = int.from_bytes(blob[:4])
        if size > len(blob) - 4:
            raise KeyRefused
        fields.append(blob[4 : 4 + size])
        blob = blob[4 + size :]
    return fields


# ---------------------------------------------------------------- DER


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content


def _blob_of_der(der: bytes) -> bytes:
    """Return the SSH blob of an RSA key in the form SubjectPublicKeyInfo."""
    info, _ = _open(der, _SEQUENCE)
    if not info.startswith(_RSA):
        raise KeyRefused
    bits, _ = _open(info[len(_RSA) :], _BITS)
    key, _ = _open(bits[1:], _SEQUENCE)
    modulus, rest = _open(key, _INTEGER)
    exponent, _ = _open(rest, _INTEGER)
    fields = (b"ssh-rsa", exponent, modulus)
    return b"".join(len(field).to_bytes(4) + field for field in fields)


def _open(der: bytes, tag: int) -> tuple[bytes, bytes]:
    """Return the content of the first thing, and what comes after it."""
    if len(der) < 2 or der[0] != tag:
        raise KeyRefused
    start, size = 2, der[1]
    if size & 0x80:
        start = 2 + (size & 0x7F)
        size = int.from_bytes(der[2:start])
    return der[start : start + size], der[start + size :]


def _sha256(blob: bytes) -> str:
    return base64.b64encode(hashlib.sha256(blob).digest()).decode()


def _colons(digest: hashlib._Hash) -> str:
    return digest.digest().hex(":")
