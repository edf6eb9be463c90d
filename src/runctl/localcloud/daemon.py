"""The process that serves a cloud: what it is made of, its reset, its end."""

from __future__ import annotations

import logging
import shutil
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from os import environ
from threading import Event, Lock, Timer

from runctl.localcloud import services
from runctl.localcloud.busy import be_busy, be_plainly_busy
from runctl.localcloud.cloud import Cloud
from runctl.localcloud.control import Control
from runctl.localcloud.egress import Egress
from runctl.localcloud.gate import Gate
from runctl.localcloud.http.messages import Request, Responder, Response
from runctl.localcloud.http.server import Server
from runctl.localcloud.imds import Metadata
from runctl.localcloud.machine_network import METADATA, MachineNetwork
from runctl.localcloud.machines.results import Event as MachineEvent
from runctl.localcloud.machines.tier import Tier
from runctl.localcloud.place import Place
from runctl.localcloud.services.ec2.instances.states import state_of
from runctl.localcloud.storage import Storage
from runctl.localcloud.upstream import Upstream

_LOG = logging.getLogger(__name__)
_ANSWER_S = 0.2
_DESTROYERS = 8
_KEPT = ("machines", "machines-shared")
"""Folders that a reset leaves to the tier, which has emptied them."""


class Daemon:
    """Serves one cloud on one listening socket, and in the machines' networks."""

    def __init__(self, place: Place, tier: Tier, listener: socket.socket) -> None:
        self.started = time.time()
        self._place = place
        self._tier = tier
        self._listener = listener
        self._ended = Event()
        self._resetting = Lock()
        self._answer: Responder = be_busy
        self._answer_metadata: Responder = be_plainly_busy
        self._endpoint = Server(self._respond)
        self._metadata = Server(self._respond_metadata)
        self._egress = Egress(Upstream(environ))
        self._compose()

    def start(self) -> None:
        """Go on with what was under way; then answer."""
        self._destroy_orphans()
        self.cloud.resume()
        self.cloud.journal.note("started", tier=self._tier.report.name)
        self._endpoint.serve(self._listener)

    def wait(self) -> None:
        """Return once it is to end."""
        self._ended.wait()

    def stop(self) -> None:
        """End the process, once the request that asks for it is answered."""
        Timer(_ANSWER_S, self._ended.set).start()

    def end(self) -> None:
        """End it at once, for a signal."""
        self._ended.set()

    def close(self) -> None:
        """Stop answering, and finish what is being done; machines go on."""
        self._answer = be_busy
        self._endpoint.drop(self._listener)
        self.cloud.journal.note("stopped")
        self.cloud.close()
        self._tier.close()

    def reset(self) -> None:
        """Take everything back to an empty cloud: its address and credentials stay."""
        with self._resetting:
            self._answer, self._answer_metadata = be_busy, be_plainly_busy
            self.cloud.jobs.close()
            self._network.close()
            self._destroy_all()
            root = self.cloud.identity.root()["AccessKeyId"]
            self.cloud.records.clear(but=("credential", "", root))
            self.cloud.journal.note("reset")
            self.cloud.close()
            self._tier.close()
            self._empty_folder()
            self._tier = type(self._tier)(self._tier.cloud, self._tier.report)
            self._compose()
            self.cloud.resume()

    def _respond(self, request: Request) -> Response:
        return self._answer(request)

    def _respond_metadata(self, request: Request) -> Response:
        return self._answer_metadata(request)

    def _compose(self) -> None:
        services.load()
        self.cloud = Cloud(self._place, self._tier)
        self._network = MachineNetwork(
            self._tier,
            {"endpoint": self._endpoint, METADATA: self._metadata, "proxy": self._egress},
        )
        self.cloud.network = self._network
        for fault in self.cloud.faults.all():
            if fault.order.effect == "network" and fault.is_in_force(self.cloud.clock()):
                self._network.cut(fault.order.instance or "")
        services.watch(self.cloud)
        self._tier.listen(self._hear)
        storage = Storage(self.cloud)
        self.cloud.closing.append(storage.close)
        self._answer = Gate(self.cloud, storage, Control(self))
        self._answer_metadata = Metadata(self.cloud).respond

    def _hear(self, event: MachineEvent) -> None:
        """Serve a machine that has booted again: its sockets are new."""
        if event.kind == "booted":
            network, ident = self._network, event.instance_id
            self.cloud.jobs.soon(lambda: network.connect(ident))

    def _destroy_orphans(self) -> None:
        """Destroy machines that no record knows: the process was killed while they ended."""
        known = set()
        with self.cloud.records.transaction() as transaction:
            for region in self.cloud.records.regions("instance"):
                rows = transaction.table("instance", region).items()
                known |= {ident for ident, row in rows if state_of(row) != "terminated"}
        self._destroy([one.id for one in self._tier.all() if one.id not in known])

    def _destroy_all(self) -> None:
        self._destroy([one.id for one in self._tier.all()])

    def _destroy(self, idents: list[str]) -> None:
        with ThreadPoolExecutor(_DESTROYERS) as pool:
            for ident in pool.map(self._destroy_one, idents):
                _LOG.info("%s was destroyed", ident)

    def _destroy_one(self, ident: str) -> str:
        self._tier.destroy(ident)
        return ident

    def _empty_folder(self) -> None:
        for entry in self._place.folder.iterdir():
            if entry.is_dir() and entry.name not in _KEPT:
                shutil.rmtree(entry)
