"""A private nginx that ends TLS and strips a path, as docs/embedding.md has it."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.eventually import wait_for
from tests.support.servers.certificates import Certificate
from tests.support.servers.ports import free_ports

_CONFIG = """
daemon off;
master_process off;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxied;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {pem};
    ssl_certificate_key {pem};
    location {path}/ {{
      proxy_pass http://127.0.0.1:{target}/;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
    }}
  }}
}}
"""


@contextmanager
def nginx(
    folder: Path, certificate: Certificate, target: int, path: str, port: int = 0
) -> Iterator[str]:
    """The address at which nginx passes what is under `path` on to a port of this machine.

    It listens on `port`, or on a free one.
    """
    program = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(program).exists():
        raise FileNotFoundError("nginx is not installed: run `tests/install-servers`.")
    if not port:
        (port,) = free_ports(1)
    config, log = folder / "nginx.conf", folder / "nginx.log"
    config.write_text(_CONFIG.format(port=port, pem=certificate.pem, target=target, path=path))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "-p", folder, "-c", config, "-e", "stderr"], stdout=output, stderr=output
        )
    try:
        wait_for(lambda: _listens(process, port, log))
        yield f"https://127.0.0.1:{port}{path}"
    finally:
        process.terminate()
        process.wait(30)


def _listens(process: subprocess.Popen[bytes], port: int, log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
