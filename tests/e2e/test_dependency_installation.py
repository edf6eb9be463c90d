"""Dependencies on an instance: installed as declared, imported by the training, kept, or refused.

``signpost`` is a wheel that this test builds and that its own index alone serves, behind a
password: it can be nothing else, and it can be had by the user's own settings only.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from runctl.agent.environment.uv import find_uv
from tests.aws.bucketscene import BucketScene
from tests.aws.visitors import KeyPair, own
from tests.cloud_instances import Rig
from tests.localcloud.process import CloudProcess
from tests.wheelhouse import build_wheel
from tests.wheelindex import WheelIndex

pytestmark = pytest.mark.slow
PATIENCE_S = 150.0
ZSTD = b"\x28\xb5\x2f\xfd"
TRAIN = """\
try:
    import signpost
    print("signpost", signpost.VERSION, "in", signpost.__file__)
except ImportError:
    print("signpost is absent")
"""
UVS = "$(ls -d /home/*/.runctl/agents/*/bin/uv* /home/*/.runctl/parts/*/bin/uv* | sed s/.away//)"
INLINE = '# /// script\n# dependencies = ["signpost==1.2.3"]\n# ///\n'
PYPROJECT = """\
[project]
name = "mine"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["signpost==1.2.3"]
"""
EDITABLE = """\
[project]
name = "mine"
version = "0.1"
dynamic = ["dependencies"]
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
BACKEND = """\
import os, zipfile
get_requires_for_build_editable = lambda *a, **k: []
def build_editable(folder, *arguments, **options):
    name, info = "mine-0.1-py3-none-any.whl", "mine-0.1.dist-info"
    head = "Metadata-Version: 2.1\\nName: mine\\nVersion: 0.1\\nRequires-Dist: signpost<2\\n"
    files = {
        "mine.pth": os.path.abspath("code") + "\\n",
        f"{info}/METADATA": head,
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{path},,\\n" for path in files)
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return name
"""


class Site:
    """A user with a project, an instance of his, and an index that both can reach."""

    def __init__(self, rig: Rig, user: BucketScene, index: WheelIndex) -> None:
        self.rig, self.user, self.index = rig, user, index
        self.instance, self.words, self.before = "", list[str](), b""
        self.python = ""

    def on(self, instance: str, transport: str) -> None:
        self.instance = own(self.user, self.rig, instance)
        self.words = ["--on", f"aws:{instance}", "--transport", transport]

    def start_project(self, folder: Path) -> None:
        self.user.project = folder
        folder.mkdir()
        self.user.write("train.py", TRAIN)

    def train(
        self, *words: str, index: WheelIndex | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        typed = ("train", "train.py", *self.words, *words)
        env = {"UV_DEFAULT_INDEX": index.url} if index else {}
        return self.user.type(*typed, timeout_s=PATIENCE_S, env=env)

    def ready(self) -> dict[str, object]:
        """What the newest run has recorded of its environment."""
        [told] = self.user.bodies(self.newest(), "environment_ready")
        return dict(told)

    def newest(self) -> str:
        return min({key.split("/")[1] for key in self.user.keys_of("runs/")})

    def there(self, script: str) -> str:
        """Run a script on the instance as root, behind the tool."""
        ssm = self.rig.world.client("ssm")
        sent = ssm.send_command(
            InstanceIds=[self.instance],
            DocumentName="AWS-RunShellScript",
            Parameters={"commands": [script]},
        )
        ident, deadline = sent["Command"]["CommandId"], time.monotonic() + PATIENCE_S
        while True:
            told = ssm.list_command_invocations(CommandId=ident, Details=True)
            for one in told["CommandInvocations"]:
                if one["Status"] == "Success":
                    return str(one["CommandPlugins"][0]["Output"])
                assert one["Status"] in ("Pending", "InProgress"), one
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def settle(self, folder: Path) -> None:
        """Run the training with nothing declared; serve the index with the Python it brought."""
        self.start_project(folder)
        self.before = self.train().stdout
        self.python = str(self.ready()["python"])
        program = self.index.program.replace("'", "'\\''")
        self.there(
            f"printf '%s' '{program}' >/tmp/index.py\n"
            "python=$(ls /home/*/.runctl/agents/*/bin/python)\n"
            "setsid $python /tmp/index.py </dev/null >/dev/null 2>&1 &\n"
        )


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> WheelIndex:
    wheels = tmp_path_factory.mktemp("wheels")
    for version in ("1.2.3", "2.0.0"):
        build_wheel(wheels, "signpost", version)
    return WheelIndex(wheels, f"pw-{secrets.token_hex(8)}")


@pytest.fixture(scope="module")
def user(
    tmp_path_factory: pytest.TempPathFactory, local_cloud: CloudProcess, rig: Rig, index: WheelIndex
) -> Iterator[BucketScene]:
    """One user for all tests of the module, whose uv knows the index with its password."""
    bucket, iam = f"ledger-{secrets.token_hex(4)}", rig.world.client("iam")
    rig.world.client("s3").create_bucket(Bucket=bucket)
    made = BucketScene(tmp_path_factory.mktemp("user"), local_cloud, bucket)
    policy = {"PolicyName": "ledger", "RoleName": rig.world.profile}
    iam.put_role_policy(**policy, PolicyDocument=made.rights())
    settings = made.home / ".config" / "uv" / "uv.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f'[[index]]\nurl = "{index.url}"\ndefault = true\n')
    yield made
    iam.delete_role_policy(**policy)
    made.end_all()


@pytest.fixture(scope="module", params=["ssm", "ssh"])
def placed(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    rig: Rig,
    user: BucketScene,
    index: WheelIndex,
) -> Iterator[Site]:
    made = Site(rig, user, index)
    if request.param == "ssm":
        made.on(rig.world.instance, "ssm")
        made.settle(tmp_path_factory.mktemp("settle") / "project")
        yield made
        return
    pair = KeyPair(rig, IamInstanceProfile={"Name": rig.world.profile})
    with pair.held_by(user):
        made.on(pair.instance, "ssh")
        rig.await_online(pair.instance)
        made.settle(tmp_path_factory.mktemp("settle") / "project")
        yield made
    pair.end()


@pytest.fixture
def site(placed: Site, tmp_path: Path) -> Site:
    placed.start_project(tmp_path / "project")
    return placed


def check_imported(site: Site, done: subprocess.CompletedProcess[bytes], version: str) -> None:
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    assert f"signpost {version} in /home/".encode() in done.stdout
    packages = site.ready()["packages"]
    assert isinstance(packages, dict)
    assert packages["signpost"] == version


def test_it_is_absent_then_installed_then_kept(site: Site) -> None:
    assert b"signpost is absent" in site.before
    site.user.write("requirements.txt", "signpost==1.2.3\n")
    check_imported(site, site.train(), "1.2.3")
    assert site.ready()["is_cached"] is False
    check_imported(site, site.train(), "1.2.3")
    assert site.ready()["is_cached"] is True


def test_no_credentials_of_the_index_are_kept(site: Site) -> None:
    site.user.write("requirements.txt", "signpost==2.0.0\n")
    done = site.train("--refresh-env")
    check_imported(site, done, "2.0.0")
    told = [done.stdout, done.stderr, *map(site.user.read, site.user.keys_of())]
    assert len(told) > 10
    assert not any(site.index.password.encode() in _plain(data) for data in told)
    left = f"grep -rl --exclude-dir=agents {site.index.password} /home/*/.runctl || true"
    assert site.there(left).split() == []


def _plain(data: bytes) -> bytes:
    if not data.startswith(ZSTD):
        return data
    return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()


def test_script_with_its_own_metadata(site: Site) -> None:
    site.user.write("train.py", INLINE + TRAIN)
    check_imported(site, site.train(), "1.2.3")


def test_project(site: Site) -> None:
    site.user.write("pyproject.toml", PYPROJECT.replace("==1.2.3", ">1"))
    check_imported(site, site.train(), "2.0.0")


def test_lock(site: Site) -> None:
    site.user.write("pyproject.toml", PYPROJECT)
    with site.index.served_here():
        words = [str(find_uv(site.user.env)), "lock", "--default-index", site.index.url]
        subprocess.run(words, cwd=site.user.project, env=site.user.env, check=True)
    assert site.index.password not in (site.user.project / "uv.lock").read_text()
    check_imported(site, site.train(), "1.2.3")
    assert "uv.lock" in str(site.ready()["source"])


def test_project_that_must_be_built_is_editable(site: Site) -> None:
    site.user.write("pyproject.toml", EDITABLE)
    site.user.write("backend.py", BACKEND)
    site.user.write("code/mine.py", "")
    site.user.write("requirements.txt", "-e .\n")
    site.user.write("train.py", TRAIN + "import mine\nprint('mine in', mine.__file__)\n")
    done = site.train("--requirements", "requirements.txt")
    check_imported(site, done, "1.2.3")
    assert b"/code/code/mine.py" in done.stdout


def test_pip_installs_where_uv_is_not(site: Site) -> None:
    site.user.write("requirements.txt", "signpost<2\n")
    site.there(f"for one in {UVS}; do mv $one $one.away; done")
    try:
        done = site.train()
    finally:
        site.there(f"for one in {UVS}; do mv $one.away $one; done")
    check_imported(site, done, "1.2.3")
    assert b"installing with pip" in done.stdout


def test_wheels_are_sent_where_no_index_is_reached(site: Site) -> None:
    site.user.write("requirements.txt", "signpost<2\n")
    index = WheelIndex(site.index.wheels, site.index.password, last="Python-urllib")
    with index.served_here():  # until runctl has the wheel: who asks after that gets nothing
        done = site.train("--stage-wheels", index=index)
    check_imported(site, done, "1.2.3")
    assert site.ready()["is_cached"] is False
    [wheel] = site.index.wheels.glob("signpost-1*")
    sent = f"blobs/{hashlib.sha256(wheel.read_bytes()).hexdigest()}"
    assert site.user.read(sent) == wheel.read_bytes()


def test_packages_of_the_image_are_kept_or_their_replacement_is_said(site: Site) -> None:
    put_into_image(site, "2.0.0")
    try:
        site.user.write("requirements.txt", "signpost>1\n")
        kept = site.train("--system-site-packages")
        assert b"signpost 2.0.0 in" in kept.stdout, kept.stderr
        assert b"/envs/" not in kept.stdout.partition(b"signpost 2.0.0 in")[2]
        first = site.newest()
        site.user.write("requirements.txt", "signpost==1.2.3\n")
        replaced = site.train("--system-site-packages")
    finally:
        put_into_image(site, None)
    check_imported(site, replaced, "1.2.3")
    assert b"signpost 1.2.3 takes the place of the image's 2.0.0" in replaced.stdout
    assert site.ready()["replaced"] == {"signpost": "2.0.0"}
    [warned] = site.user.bodies(site.newest(), "warned")
    assert "signpost 1.2.3" in warned["message"]
    check_difference(site, first, "2.0.0", "1.2.3")


def put_into_image(site: Site, version: str | None) -> None:
    """Put a version of signpost among the packages of the instance's Python, or take it away."""
    clean = 'cd "$(FOLDER)" && rm -rf signpost signpost-*\n'
    find = "import site; print(site.getsitepackages()[0])"
    folder = f'"{site.python}" -I -c "{find}"'
    script = f'mkdir -p "$({folder})"\n' + clean.replace("FOLDER", folder)
    if version is not None:
        [wheel] = site.index.wheels.glob(f"signpost-{version}-*")
        data = base64.b64encode(wheel.read_bytes()).decode()
        script += f"echo {data} | base64 -d >/tmp/signpost.whl\n"
        script += f'"{site.python}" -m zipfile -e /tmp/signpost.whl . && chmod -R a+rX signpost*\n'
    site.there(script)


def check_difference(site: Site, first: str, left: str, right: str) -> None:
    """What ``diff`` shows of two runs: exact versions, and what their files are told apart by."""
    done = site.user.type("diff", first, site.newest(), "--output", "json")
    found = json.loads(done.stdout)["differences"]
    [one] = [each for each in found if (each["topic"], each["key"]) == ("packages", "signpost")]
    hashes = site.ready()["hashes"]
    assert isinstance(hashes, dict)
    assert (one["left"], one["right"]) == (left, f"{right} ({hashes['signpost'][:12]})")


def test_bad_requirement_fails_the_run(site: Site) -> None:
    site.user.write("requirements.txt", "signpost==9.9\n")
    done = site.train()
    assert done.returncode == 22, done.stderr
    [end] = site.user.bodies(site.newest(), "attempt_ended")
    assert end["phase"] == "environment"
    assert "signpost==9.9" in end["message"]
    assert "check the name and the version" in end["hint"]
    assert json.dumps(end["hint"])[1:-1].encode() in done.stderr
