"""The rows every benchmark uses: ten columns of the kinds real tables have."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

#: What sources slice their batches to.
BATCH_ROWS = 16_384

FIRST_SECOND = 1_700_000_000
CITIES = ["Berlin", "São Paulo", "上海市", "東京", "서울", "Łódź", 'the "Hague"', "Paris, TX"]

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
        customer_id=mixed(n, 1) % 100_000,
        amount=mixed(n, 2) % 10_000_000,
        rate=mixed(n, 3) % 1_000_003,
        paid=mixed(n, 4) % 2 == 0,
        created_at=((n + FIRST_SECOND) * 1_000_000 + mixed(n, 5) % 1_000_000).cast(
            pl.Datetime("us", "UTC")
        ),
        shipped_at=pl.when(mixed(n, 6) % 5 != 0).then(
            ((n + FIRST_SECOND) * 1_000_000).cast(pl.Datetime("us"))
        ),
        customer=pl.format("customer {}", mixed(n, 7) % 100_000),
        city=pl.lit(pl.Series(CITIES)).gather(mixed(n, 8) % len(CITIES)),
        note=pl.when(mixed(n, 9) % 5 != 0).then(
            pl.format("备注 {} 第{}号", mixed(n, 10) % 1000, n % 77)
        ),
    )
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    # Not in Polars, which multiplies by the reciprocal: PostgreSQL makes the same rows.
    for name, divisor in (("amount", 100.0), ("rate", 1_000_003.0)):
        quotients = pc.divide(table[name].cast(pa.float64()), divisor)
        table = table.set_column(table.column_names.index(name), name, quotients)
    table = table.cast(SCHEMA)
    return table.combine_chunks().to_batches(max_chunksize=batch_rows)


def mixed(number: pl.Expr, salt: int) -> pl.Expr:
    """Numbers that look random, by a rule that no library version changes."""
    mixed = (number + salt * 1_000_003) * 2_654_435_761 % 4_294_967_291
    return mixed * (mixed % 65_521 + 1) % 4_294_967_291
