"""Who is asking."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or a service, as the token described it.

    Every read of the task store takes one, so a query without a tenant cannot be written.
    """

    user: str
    tenant: str
    roles: frozenset[str] = frozenset()

    @property
    def is_admin(self) -> bool:
        """Whether the admin endpoints are open to this caller."""
        return "admin" in self.roles
