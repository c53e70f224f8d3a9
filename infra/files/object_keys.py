"""Object keys: which installation and which tenant a file belongs to, without a text of a user.

::

    exports/<installation>/<hash of the tenant>/<task>/<fence>-<random>.<extension>
    exports/<hash of the tenant>/<task>/<fence>-<random>.<extension>     by earlier versions
"""

from __future__ import annotations

import hashlib
import secrets
from uuid import UUID

_ROOT = "exports/"
_TENANT_DIGITS = 16


def installation_prefix(installation: str) -> str:
    """What the key of every object of an installation begins with."""
    return f"{_ROOT}{installation}/"


def object_key(installation: str, tenant: str, task_id: UUID, fence: int, extension: str) -> str:
    """A key that cannot be guessed, unique to the attempt."""
    folder = f"{installation_prefix(installation)}{_tenant_hash(tenant)}/{task_id}"
    return f"{folder}/{fence}-{secrets.token_hex(8)}.{extension}"


def probe_key(installation: str) -> str:
    """A key for an object that is written to try the store, and deleted at once."""
    return f"{installation_prefix(installation)}probe/{secrets.token_hex(8)}"


def belongs_to(key: str, installation: str, tenant: str) -> bool:
    """Whether `key` was made for a file of `tenant` in this installation, or by an old version."""
    folder = f"{_tenant_hash(tenant)}/"
    return key.startswith((installation_prefix(installation) + folder, _ROOT + folder))


def _tenant_hash(tenant: str) -> str:
    return hashlib.sha256(tenant.encode()).hexdigest()[:_TENANT_DIGITS]
