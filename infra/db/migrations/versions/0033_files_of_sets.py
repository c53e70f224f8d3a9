"""What each file of a set is, and the set that it belongs to."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"

_OF_FILES: dict[str, sa.types.TypeEngine[Any]] = {
    "set_key": sa.Text(),
    "rows": sa.BigInteger(),
    "size_bytes": sa.BigInteger(),
    "sha256": sa.Text(),
}


def upgrade() -> None:
    """Apply the change."""
    for name, kind in _OF_FILES.items():
        op.add_column("storage_object", sa.Column(name, kind, nullable=True))


def downgrade() -> None:
    """Undo the change."""
    for name in _OF_FILES:
        op.drop_column("storage_object", name)
