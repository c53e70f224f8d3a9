"""The credentials, signing keys and ports an embedded server keeps from one start to the next.

With all of them the same, links signed before a restart are good after it.
"""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Self

from waybill.storage.config import DEFAULT_REGION, S3Config
from waybill.storage.errors import EmbeddedServerError

#: Below the range that systems take ports of outgoing connections from, one of which could
#: otherwise sit on a port of ours.
_PORTS = range(12_000, 22_000)
_SERVICES = ("s3", "master", "volume", "filer", "admin")
#: The maintenance worker looks for the admin service's gRPC port here and nowhere else; the
#: others follow suit. Servers that share a gRPC port share a socket file, and break.
_GRPC_OFFSET = 10_000
#: SeaweedFS asks for a token of its own where these are set: volumes for every write and read,
#: and the filer likewise. (`weed scaffold -config=security`)
_SIGNING_KEYS = (
    "WEED_JWT_SIGNING_KEY",
    "WEED_JWT_SIGNING_READ_KEY",
    "WEED_JWT_FILER_SIGNING_KEY",
    "WEED_JWT_FILER_SIGNING_READ_KEY",
)


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """Random credentials, the HTTP port of each service, and what its services trust each other by.

    `signing_keys` are environment variables of the server.
    """

    access_key_id: str
    secret_access_key: str = field(repr=False)
    ports: Mapping[str, int]
    signing_keys: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote; a new identity, without keys and ports yet, if there is none.

        Raises:
            EmbeddedServerError: the file is damaged.
        """
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            return cls(secrets.token_hex(10), secrets.token_urlsafe(30), ports={})
        except (ValueError, TypeError) as error:
            raise EmbeddedServerError(f"{path} is damaged; remove it.") from error

    def save(self, path: Path) -> None:
        """Write it for the owner's eyes only, whole or not at all."""
        draft = path.with_suffix(".new")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(self)))
        draft.replace(path)

    @property
    def is_complete(self) -> bool:
        """Whether a server was started with it that lets nobody in without a signature."""
        return bool(self.ports) and set(self.signing_keys) == set(_SIGNING_KEYS)

    def with_signing_keys(self) -> Self:
        """Itself if it has all signing keys, or with those that are missing."""
        drawn = {name: secrets.token_hex(32) for name in _SIGNING_KEYS}
        return replace(self, signing_keys=drawn | dict(self.signing_keys))

    def with_free_ports(self) -> Self:
        """Itself if all its ports are free, or with new ones."""
        if set(self.ports) == set(_SERVICES) and all(map(_is_free, self.ports.values())):
            return self
        shuffled = secrets.SystemRandom().sample(_PORTS, len(_PORTS))
        free = (port for port in shuffled if _is_free(port))
        return replace(self, ports={name: next(free) for name in _SERVICES})

    def grpc_ports(self) -> dict[str, int]:
        """The gRPC port of each service."""
        return {name: port + _GRPC_OFFSET for name, port in self.ports.items()}

    def config(self, bucket: str) -> S3Config:
        """Where `bucket` of this server is."""
        return S3Config(
            bucket=bucket,
            endpoint_url=f"http://127.0.0.1:{self.ports['s3']}",
            region=DEFAULT_REGION,
            access_key_id=self.access_key_id,
            secret_access_key=self.secret_access_key,
        )


def _is_free(port: int) -> bool:
    try:
        for number in (port, port + _GRPC_OFFSET):
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", number))
    except OSError:
        return False
    return True
