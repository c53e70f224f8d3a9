"""Principal: the person or service that asks for an export."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or a service, as its token describes it. It sees its own tenant only."""

    user: str
    tenant: str
    roles: frozenset[str] = frozenset()
