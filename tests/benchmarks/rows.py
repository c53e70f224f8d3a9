"""The rows every benchmark uses: ten columns of the kinds real tables have."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

#: What sources slice their batches to.
BATCH_ROWS = 16_384

_FIRST_SECOND = 1_700_000_000
_CITIES = ["Berlin", "São Paulo", "上海市", "東京", "서울", "Łódź", 'the "Hague"', "Paris, TX"]

SCHEMA = pa.schema(
    {
        "id": pa.int64(),
        "customer_id": pa.int32(),
        "amount": pa.float64(),
        "rate": pa.float64(),
        "paid": pa.bool_(),
        "created_at": pa.timestamp("us", tz="UTC"),
        "shipped_at": pa.timestamp("us"),
        "customer": pa.string(),
        "city": pa.string(),
        "note": pa.string(),
    }
)


def make_batches(rows: int, batch_rows: int = BATCH_ROWS) -> list[pa.RecordBatch]:
    """`rows` rows in memory: the same ones every time, a fifth of some columns null."""
    n = pl.col("n")
    frame = pl.select(n=pl.int_range(rows, dtype=pl.Int64)).select(
        id=n,
        customer_id=_mixed(n, 1) % 100_000,
        amount=(_mixed(n, 2) % 10_000_000) / 100,
        rate=(_mixed(n, 3) % 1_000_003) / 1_000_003,
        paid=_mixed(n, 4) % 2 == 0,
        created_at=((n + _FIRST_SECOND) * 1_000_000 + _mixed(n, 5) % 1_000_000).cast(
            pl.Datetime("us", "UTC")
        ),
        shipped_at=pl.when(_mixed(n, 6) % 5 != 0).then(
            ((n + _FIRST_SECOND) * 1_000_000).cast(pl.Datetime("us"))
        ),
        customer=pl.format("customer {}", _mixed(n, 7) % 100_000),
        city=pl.lit(pl.Series(_CITIES)).gather(_mixed(n, 8) % len(_CITIES)),
        note=pl.when(_mixed(n, 9) % 5 != 0).then(
            pl.format("备注 {} 第{}号", _mixed(n, 10) % 1000, n % 77)
        ),
    )
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(SCHEMA)
    return table.combine_chunks().to_batches(max_chunksize=batch_rows)


def _mixed(number: pl.Expr, salt: int) -> pl.Expr:
    """Numbers that look random, by a rule that no library version changes."""
    mixed = (number + salt * 1_000_003) * 2_654_435_761 % 4_294_967_291
    return mixed * (mixed % 65_521 + 1) % 4_294_967_291
