"""A private RabbitMQ: own node, own epmd, own data, loopback ports, ended with the run.

The server is a child of the test process, in a process group of its own: `kill`, `sigstop`
and `sigcont` reach every process of the node, as the kernel or a frozen host would. The
scripts are run directly, since Debian's wrapper in PATH would change to another user.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from tests.support.servers.ports import free_ports

USER = "waybill"
#: Has a character that URLs must escape, so that no code may paste a URL together.
PASSWORD = "only@tests"
#: While the server is `impatient`, a delivery unacknowledged for longer closes its channel.
PATIENCE_SECONDS = 5
#: How often an impatient channel looks for such a delivery.
_TICK_SECONDS = 1

#: Schedulers with nothing to do wait for work in a loop otherwise, at the cost of what else runs.
_NO_SPINNING = "+sbwt none +sbwtdcpu none +sbwtdio none"
_VHOSTS_AT_ONCE = 8
#: Seconds on an idle machine. On a busy one, a node of a cluster has taken more than a minute.
_START_SECONDS = 240.0
_STOP_SECONDS = 30.0
#: As long as a start: a command is an Erlang node of its own.
_COMMAND_SECONDS = 240
_CONFIG = f"""\
listeners.tcp.1 = 127.0.0.1:{{port}}
default_user = {USER}
default_pass = {PASSWORD}
"""
_PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"


def _scripts() -> Path:
    """The folder with the real scripts, not with the wrapper that Debian puts into PATH.

    With ``TEST_RABBITMQ=4.3``, those of a version that `tests/install-rabbitmq` has installed.
    """
    if version := os.environ.get("TEST_RABBITMQ"):
        servers = Path(os.environ.get("TEST_SERVERS", "/var/cache/waybill-test-servers"))
        folder = (servers / f"rabbitmq-{version}" / "bin").resolve()
        if (folder / "rabbitmq-env").exists():
            return folder
        raise FileNotFoundError(f"Run `tests/install-rabbitmq {version}`.")
    candidates = [Path("/usr/lib/rabbitmq/bin")]
    if on_path := shutil.which("rabbitmq-server"):
        candidates.append(Path(on_path).resolve().parent)
    for folder in candidates:
        if (folder / "rabbitmq-env").exists() and (folder / "rabbitmqctl").exists():
            return folder
    raise FileNotFoundError(
        "RabbitMQ is not installed: no `rabbitmq-server` in PATH or in /usr/lib/rabbitmq/bin. "
        "Run `make test`, which installs it, or `apt-get install rabbitmq-server`."
    )


def new_node_name() -> str:
    """A name that no other node of this machine has."""
    return f"t{secrets.token_hex(4)}@localhost"


class Epmd:
    """The port mapper by which the nodes of one cluster find each other."""

    def __init__(self, folder: Path) -> None:
        #: Where its nodes keep the cookie by which they and `rabbitmqctl` know each other.
        self.home = folder
        self._port = free_ports(1)[0]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a node's process needs to know of it."""
        return {
            "HOME": str(self.home),
            "ERL_EPMD_PORT": str(self._port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def start(self) -> None:
        """Run it, unless it runs."""
        if self._process is None:
            # In the foreground: Erlang would otherwise start one that outlives the node.
            self._process = subprocess.Popen(
                ["epmd", "-address", "127.0.0.1"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.environ["PATH"], **self.environment},
                start_new_session=True,
            )

    def close(self) -> None:
        """End it, after its nodes."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(_STOP_SECONDS)


class RabbitServer:
    """One node. `start` and `stop` may be repeated; the data stays between them."""

    def __init__(
        self,
        folder: Path,
        *,
        name: str | None = None,
        epmd: Epmd | None = None,
        config: str = "",
        plugins: Sequence[str] = (),
        kernel: str = "",
    ) -> None:
        """A node that is alone, unless it has the `epmd` of others, which the cluster ends.

        `config` is added to ``rabbitmq.conf``, `kernel` to the arguments of Erlang.
        """
        self.port, distribution_port = free_ports(2)
        self.node_name = name or new_node_name()
        self._folder = folder
        self._data = folder / "data"
        self._log = folder / "server.log"
        self._scripts = _scripts()
        self._process: subprocess.Popen[bytes] | None = None
        self._epmd = epmd or Epmd(folder)
        self._owns_epmd = epmd is None
        #: Vhosts that are ready, and those that tests have had.
        self._vhosts: list[str] = []
        self._used: list[str] = []
        (folder / "rabbitmq.conf").write_text(_CONFIG.format(port=self.port) + config)
        (folder / "enabled_plugins").write_text(f"[{', '.join(plugins)}].")
        self._environment = {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            **self._epmd.environment,
            "RABBITMQ_NODENAME": self.node_name,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(distribution_port),
            "RABBITMQ_MNESIA_BASE": str(self._data),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": "/dev/null",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                f"-kernel inet_dist_use_interface {{127,0,0,1}} {kernel} {_NO_SPINNING}"
            ),
        }

    def start(self) -> None:
        """Run the node and wait until it speaks AMQP."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Run the node, and do not wait for it."""
        self._epmd.start()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._scripts / "rabbitmq-server"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=self._environment,
                start_new_session=True,
            )

    def wait_until_ready(self, seconds: float = _START_SECONDS) -> None:
        """Wait until the node speaks AMQP; one that does not in time is killed."""
        deadline = time.monotonic() + seconds
        while not self.answers():
            if self._running().poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError(f"RabbitMQ did not start:\n{self._log.read_text()}")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether the node speaks AMQP now."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as connection:
                connection.sendall(_PROTOCOL_HEADER)
                return connection.recv(1) == b"\x01"
        except OSError:
            return False

    def stop(self) -> None:
        """End the node as an operator would; it closes its connections and writes its data."""
        process, self._process = self._process, None
        if process is not None:
            # Only the script: it passes the signal on, and its helpers must not die first.
            process.terminate()
            process.wait(_STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL, as the kernel's out-of-memory killer would."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(_STOP_SECONDS)

    def sigstop(self) -> None:
        """Freeze the node: connections stay open and nothing answers."""
        os.killpg(self._running().pid, signal.SIGSTOP)

    def sigcont(self) -> None:
        """Let a frozen node go on."""
        os.killpg(self._running().pid, signal.SIGCONT)

    def wipe(self) -> None:
        """Delete all data of a stopped node. What is left is the default vhost, empty."""
        if self._process is not None:
            raise RuntimeError("Stop the node before its data is deleted.")
        shutil.rmtree(self._data)
        self._vhosts, self._used = [], []

    def close(self) -> None:
        """End the node, and its epmd unless that is a cluster's."""
        self.stop()
        if self._owns_epmd:
            self._epmd.close()

    @property
    def is_frozen(self) -> bool:
        """Whether `sigstop` was the last that happened to it."""
        if self._process is None or not self.is_running:
            return False
        state = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state == "T"

    @property
    def is_running(self) -> bool:
        """Whether its process lives; it may be frozen."""
        return self._process is not None and self._process.poll() is None

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError("RabbitMQ is not running.")
        return self._process

    def rabbitmqctl(self, *arguments: str) -> str:
        """Run one command against this node and return what it printed. Takes about 0.3 s."""
        patience = ("--timeout", str(_COMMAND_SECONDS))
        done = subprocess.run(
            [self._scripts / "rabbitmqctl", "--silent", *patience, *arguments],
            capture_output=True,
            text=True,
            env=self._environment,
            cwd=self._folder,
            timeout=_COMMAND_SECONDS,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"rabbitmqctl {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    @contextmanager
    def vhost(self) -> Iterator[str]:
        """The name of an empty vhost with all rights for the user, deleted some time afterwards.

        Vhosts are made some at a time, and deleted as well: a command costs a second of
        processor time, which is that of its start.
        """
        if not self._vhosts:
            steps = [f'rabbit_vhost:delete(<<"{name}">>, <<"tests">>)' for name in self._used]
            self._vhosts = [f"test_{secrets.token_hex(6)}" for _ in range(_VHOSTS_AT_ONCE)]
            for name in self._vhosts:
                steps += [f'ok = rabbit_vhost:add(<<"{name}">>, <<"tests">>)', _rights(name)]
            self._used = []
            self.rabbitmqctl("eval", f"{', '.join(steps)}.")
        name = self._vhosts.pop()
        yield name
        self._used.append(name)

    def set_rights(
        self, vhost: str, *, configure: str = ".*", write: str = ".*", read: str = ".*"
    ) -> None:
        """Let the user do just this, each right being a pattern of names."""
        self.rabbitmqctl("eval", f"{_rights(vhost, configure, write, read)}.")

    @contextmanager
    def impatient(self) -> Iterator[None]:
        """Channels opened meanwhile close at a delivery unacknowledged for `PATIENCE_SECONDS`.

        The default is 30 minutes, and a look at it each minute.
        """
        values = (
            ("consumer_timeout", PATIENCE_SECONDS * 1000),
            ("channel_tick_interval", _TICK_SECONDS * 1000),
        )
        before = self.rabbitmqctl("eval", _swapped(values)).strip()
        try:
            yield
        finally:
            self.rabbitmqctl(
                "eval", f"[application:set_env(rabbit, K, V) || {{K, V}} <- {before}]."
            )

    def url(self, vhost: str = "/", *, port: int | None = None) -> str:
        """The URL of `vhost`; with `port`, by way of a proxy that listens there."""
        return (
            f"amqp://{USER}:{quote(PASSWORD, safe='')}@127.0.0.1:{port or self.port}"
            f"/{quote(vhost, safe='')}"
        )


def _swapped(values: Iterable[tuple[str, int]]) -> str:
    """Erlang that sets these settings of the broker, and answers with what they were."""
    pairs = ", ".join(f"{{{name}, {value}}}" for name, value in values)
    return (
        f"[begin {{ok, Was}} = application:get_env(rabbit, K),"
        f" ok = application:set_env(rabbit, K, V), {{K, Was}} end || {{K, V}} <- [{pairs}]]."
    )


def _rights(vhost: str, configure: str = ".*", write: str = ".*", read: str = ".*") -> str:
    """Erlang for the rights of the user in `vhost`."""
    return (
        "ok = rabbit_auth_backend_internal:set_permissions("
        f'<<"{USER}">>, <<"{vhost}">>, <<"{configure}">>, <<"{write}">>, <<"{read}">>, <<"tests">>)'
    )
