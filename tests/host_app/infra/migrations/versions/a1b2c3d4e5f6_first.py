"""The host's first migration."""

from __future__ import annotations

from alembic import op
from infra.models import metadata

revision = "a1b2c3d4e5f6"
down_revision = None


def upgrade() -> None:
    """Make the host's tables."""
    metadata.create_all(op.get_bind())
