"""How many examples a property test tries: fewer in the fast lane."""

from __future__ import annotations

from hypothesis import settings


def examples(most: int) -> settings:
    """Try `most` examples, or as many as the loaded hypothesis profile allows, if fewer."""
    return settings(max_examples=min(most, settings().max_examples))
