"""Values as a mask shows them, and values by their labels; both on columns of text."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

import polars as pl

from waybill.exporter.datasets.masks import Hashed, Mask

_HIDDEN = "***"
_STARS = "****"
#: The last four characters of a shorter value would be most of it.
_SHORTEST_SHOWN = 8
_EMAIL = r"^([^@\s])[^@\s]*@([^@\s]+)$"


def masked(texts: pl.Series, mask: Mask) -> pl.Series:
    """`texts` behind `mask`."""
    if isinstance(mask, Hashed):
        return _hashed(texts, mask.key_bytes)
    if mask == "hide":
        return pl.Series([_HIDDEN]).new_from_index(0, len(texts))
    value = pl.col("v")
    if mask == "last4":
        fits = value.str.len_chars() >= _SHORTEST_SHOWN
        part, rest = pl.concat_str(pl.lit(_STARS), value.str.tail(4)), pl.lit(_STARS)
    else:
        fits = value.str.contains(_EMAIL)
        part, rest = value.str.replace(_EMAIL, "${1}***@${2}"), pl.lit(_HIDDEN)
    shown = pl.when(value.is_null()).then(None).when(fits).then(part).otherwise(rest)
    return pl.DataFrame({"v": texts}).select(shown.alias("v")).to_series()


def labelled(texts: pl.Series, labels: Mapping[str, str]) -> pl.Series:
    """`texts` with each value that has a label replaced by it."""
    return texts.replace(list(labels), list(labels.values()))


def _hashed(texts: pl.Series, key: bytes) -> pl.Series:
    different = texts.drop_nulls().unique()
    codes = [hmac.digest(key, text.encode(), "sha256").hex()[:32] for text in different]
    return texts.replace(different, pl.Series(codes, dtype=pl.String))
