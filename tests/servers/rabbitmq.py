"""A RabbitMQ node that a test may kill and start again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Self

from tests.servers.loopback import free_port

DEBIAN = "/usr/lib/rabbitmq/bin"
"""The server itself: the command on Debian's path changes the user first."""

PATIENCE = 60.0
"""Seconds that a node may take to start."""


class OwnRabbitMQ:
    """
    A node with its files in a folder, and its port over restarts.

    Erlang's port mapper, which it starts where none runs, stays behind it.

    Args:
        folder: Where its files are.

    Raises:
        LookupError: RabbitMQ is not installed, or did not start.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, distribution = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = {
            **os.environ,
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"assignment-pipeline-{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "none"),
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def url(self) -> str:
        """Its address."""
        return f"amqp://guest:guest@127.0.0.1:{self._port}//"

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        command = shutil.which("rabbitmq-server", path=os.pathsep.join((DEBIAN, os.environ.get("PATH", ""))))
        if command is None:
            msg = "no RabbitMQ is installed"
            raise LookupError(msg)
        with (self._folder / "out").open("wb") as out:
            self._process = subprocess.Popen(
                [command], env=self._environment, stdout=out, stderr=out, start_new_session=True
            )
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._process.poll() is None:
            if self._listens():
                return
            time.sleep(0.1)
        self.kill()
        msg = f"RabbitMQ did not start: {(self._folder / 'out').read_text()[-500:]}"
        raise LookupError(msg)

    def kill(self) -> None:
        """End it at once, as a crash does."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            while self._listens():  # The leader of the group is gone, the node may take a moment.
                time.sleep(0.01)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1):
            return True
        return False
