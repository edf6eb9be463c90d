"""A local cloud as a process, for tests: started, killed, started again, and always purged."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3

MODULE = [sys.executable, "-m", "runctl.localcloud"]
START_S = 120.0
END_S = 60.0


class CloudProcess:
    """One local cloud in a folder of its own. ``tier``: auto, root, rootless, …"""

    def __init__(self, folder: Path, tier: str = "auto") -> None:
        self.folder = folder
        self.tier = tier
        self.ready: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None

    # -- the process

    def start(self, *words: str) -> dict[str, Any]:
        """Start the process, and wait until it answers; return what it says of itself."""
        process, ready = self.serve(*words)
        assert "error" not in ready, ready
        if not ready["is_already_running"]:
            self._process = process
        self.ready = ready
        return ready

    def serve(self, *words: str) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
        """Start a process; return it with the one line that it prints."""
        argv = [*MODULE, "serve", "--folder", str(self.folder), "--tier", self.tier, *words]
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, start_new_session=True
        )
        assert process.stdout is not None
        with process.stdout as lines:
            line = lines.readline()
        assert line, f"the local cloud said nothing: {self.log()}"
        ready: dict[str, Any] = json.loads(line)
        if "error" in ready or ready["is_already_running"]:
            process.wait(END_S)
        return process, ready

    @property
    def pid(self) -> int:
        return int(self.ready["pid"])

    def kill(self) -> None:
        """Kill the process, as a crash does; its machines go on."""
        self._end(signal.SIGKILL)

    def wait(self) -> int:
        """Wait for the end of the process, which something else brings about."""
        assert self._process is not None, "it does not run"
        process, self._process = self._process, None
        return process.wait(END_S)

    def stop(self) -> int:
        """End the process in peace; return its exit status."""
        return self._end(signal.SIGTERM)

    def purge(self) -> None:
        """End the process, and remove all that it has made."""
        if self._process is not None:
            self._end(signal.SIGKILL)
        argv = [*MODULE, "purge", "--folder", str(self.folder)]
        done = subprocess.run(argv, capture_output=True, timeout=END_S, check=False)
        assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()

    def _end(self, number: signal.Signals) -> int:
        assert self._process is not None, "it does not run"
        process, self._process = self._process, None
        with suppress(ProcessLookupError):
            os.kill(process.pid, number)
        return process.wait(END_S)

    def log(self) -> str:
        path = self.folder / "cloud.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    # -- speaking with it

    @property
    def endpoint(self) -> str:
        return str(self.ready["address"])

    @property
    def token(self) -> str:
        return str(json.loads((self.folder / "cloud.json").read_bytes())["token"])

    def control(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
    ) -> Any:
        """Ask the control endpoint; raises ``urllib.error.HTTPError`` where it refuses."""
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self.endpoint}/_runctl/{path}", data, method=method)
        request.add_header("Authorization", f"Bearer {self.token if token is None else token}")
        with urllib.request.urlopen(request, timeout=END_S) as answer:
            return json.loads(answer.read() or b"null")

    def refused(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> Any:
        """Ask for what must be refused; return the error, with its status."""
        try:
            answer = self.control(method, path, document)
        except urllib.error.HTTPError as error:
            with error:
                return {"status": error.code, **json.loads(error.read())["error"]}
        raise AssertionError(f"it was not refused: {answer}")

    def session(self, region: str = "us-east-1") -> boto3.Session:
        """Return a session of the account's root, whose clients speak with this cloud."""
        keys = self.control("GET", "credentials")
        return EndpointSession(
            self.endpoint, keys["access_key_id"], keys["secret_access_key"], region
        )


class EndpointSession(boto3.Session):  # type: ignore[misc]
    """A session whose clients speak with one endpoint, whatever the environment says."""

    def __init__(self, endpoint: str, key: str, secret: str, region: str) -> None:
        super().__init__(key, secret, region_name=region)
        self._endpoint = endpoint

    def client(self, *words: Any, **options: Any) -> Any:
        return super().client(*words, **{"endpoint_url": self._endpoint, **options})
