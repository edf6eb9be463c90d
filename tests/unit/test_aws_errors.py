"""AWS's codes as errors of ours."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from runctl.aws.account import Account
from runctl.aws.errors import code_of, translated
from runctl.errors import (
    AuthError,
    CapacityError,
    ConfigError,
    ConflictError,
    NotFoundError,
    ProviderError,
    RefusedError,
    TransportError,
)


def _refusal(code: str, words: str = "the words") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": words}}, "RunInstances")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ExpiredToken", AuthError),
        ("UnauthorizedOperation", AuthError),
        ("AccessDeniedException", AuthError),
        ("InsufficientInstanceCapacity", CapacityError),
        ("VcpuLimitExceeded", CapacityError),
        ("SpotMaxPriceTooLow", CapacityError),
        ("IncorrectInstanceState", ConflictError),
        ("OperationNotPermitted", RefusedError),
        ("InvalidInstanceID.NotFound", NotFoundError),
        ("NoSuchEntity", NotFoundError),
        ("ParameterNotFound", ProviderError),
        ("SomethingNew", ProviderError),
    ],
)
def test_a_code_decides_the_error(code: str, kind: type[Exception]) -> None:
    with pytest.raises(kind) as caught, translated("it was not rented"):
        raise _refusal(code)
    assert type(caught.value) is kind
    assert str(caught.value) == "it was not rented: the words"
    assert caught.value.details == {"aws_code": code}  # type: ignore[attr-defined]


def test_a_refusal_without_words_tells_its_code() -> None:
    with pytest.raises(ProviderError, match="it failed: Odd"), translated("it failed"):
        raise _refusal("Odd", "")
    assert code_of(_refusal("Odd")) == "Odd"


def test_no_login_and_no_network_say_what_to_do() -> None:
    with pytest.raises(AuthError) as login, translated("x"):
        raise NoCredentialsError
    with pytest.raises(TransportError) as network, translated("x"):
        raise EndpointConnectionError(endpoint_url="https://ec2.example")
    assert login.value.hint
    assert network.value.hint


def test_an_account_without_region_or_with_an_unknown_profile_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/absent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/absent")
    with pytest.raises(ConfigError, match="no region"):
        _ = Account().region
    with pytest.raises(ConfigError, match="absent-profile"):
        Account(profile="absent-profile").client("ec2", region="us-east-1")
    assert Account(given_region="eu-west-1").region == "eu-west-1"
