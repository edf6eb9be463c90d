"""How each service says that it does not know who calls."""

from __future__ import annotations

from runctl.localcloud.wire.errors import AwsError

_EC2_WORDS = "AWS was not able to validate the provided access credentials"
_EC2 = {
    "ExpiredToken": AwsError("RequestExpired", "Request has expired.", 400),
    "InvalidClientTokenId": AwsError("AuthFailure", _EC2_WORDS, 401),
    "SignatureDoesNotMatch": AwsError("AuthFailure", _EC2_WORDS, 401),
}
_JSON = {
    "ExpiredToken": "ExpiredTokenException",
    "IncompleteSignature": "IncompleteSignatureException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "InvalidSignatureException": "InvalidSignatureException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
}
_OF_JSON = ("ecr", "pricing", "servicequotas", "ssm")


def in_words_of(service: str, error: AwsError) -> AwsError:
    """Return the error of a bad signature, key or token as a service makes it."""
    if service == "ec2":
        return _EC2.get(error.code, error)
    if service in _OF_JSON and error.code in _JSON:
        return AwsError(_JSON[error.code], error.message, 400)
    if error.code == "ExpiredToken":
        return AwsError(error.code, error.message, 403)
    return error


def in_words_of_s3(error: AwsError) -> AwsError:
    """Return the error of a signature that cannot be read as S3 makes it."""
    if error.code != "IncompleteSignature":
        return error
    words = f"The authorization header is malformed; {error.message}"
    return AwsError("AuthorizationHeaderMalformed", words, 400)
