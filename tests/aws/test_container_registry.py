"""ECR: repositories that look after themselves, and a password in no file of the user's."""

from __future__ import annotations

import base64
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from runctl.agent.containers.docker import Docker
from runctl.agent.containers.ecr import Keys, ask_password
from runctl.aws.container_registry import KEPT_IMAGES, make_repository
from runctl.engine.docker_images.pushing import signed_in
from runctl.engine.session import Session
from runctl.errors import AuthError
from tests.cloud_instances import CloudAccount
from tests.localcloud.process import CloudProcess

pytestmark = pytest.mark.slow
REGION = "us-east-1"


@pytest.fixture
def account(local_cloud: CloudProcess) -> CloudAccount:
    return CloudAccount(local_cloud.session())


def test_a_repository_is_made_once_and_scans_and_forgets(
    account: CloudAccount, local_cloud: CloudProcess
) -> None:
    ecr = local_cloud.session().client("ecr")
    assert make_repository(account, REGION, "team/digits") is True
    [made] = ecr.describe_repositories(repositoryNames=["team/digits"])["repositories"]
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    policy = json.loads(
        ecr.get_lifecycle_policy(repositoryName="team/digits")["lifecyclePolicyText"]
    )
    assert policy["rules"][0]["selection"]["countNumber"] == KEPT_IMAGES
    assert make_repository(account, REGION, "team/digits") is False
    ecr.delete_repository(repositoryName="team/digits")


def test_the_password_is_there_for_the_push_alone(
    account: CloudAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    session = cast(Session, SimpleNamespace(account=lambda: account))
    host = f"123456789012.dkr.ecr.{REGION}.amazonaws.com"
    with _login(session, f"{host}/digits") as environ:
        path = Path(environ["DOCKER_CONFIG"], "config.json")
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        secret = base64.b64decode(json.loads(path.read_bytes())["auths"][host]["auth"])
        assert secret.startswith(b"AWS:")
        assert environ["DOCKER_HOST"] == "unix:///nowhere"
    assert not path.parent.exists()
    assert list(tmp_path.iterdir()) == []


def test_an_instance_s_role_signs_for_a_password(local_cloud: CloudProcess) -> None:
    told = local_cloud.session().get_credentials().get_frozen_credentials()
    keys = Keys(told.access_key, told.secret_key, None)
    secret = ask_password(local_cloud.endpoint, REGION, keys, datetime.now(UTC))
    assert secret.startswith("AWS:")
    wrong = keys._replace(secret_key="x" * 40)
    with pytest.raises(AuthError, match="ignature"):
        ask_password(local_cloud.endpoint, REGION, wrong, datetime.now(UTC))


def test_another_registry_is_asked_as_docker_login_has_left_it() -> None:
    session = cast(Session, SimpleNamespace())
    with _login(session, "ghcr.io/me/digits") as environ:
        assert environ == dict(os.environ)


def _login(session: Session, repository: str) -> Any:
    return signed_in(session, Docker("docker"), repository, makes_repository=False)
