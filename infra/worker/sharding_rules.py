"""Which exports are written in shards, by which key, and how many rows a shard has."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.sql.elements import _label_reference

from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.datasets.sharding import Sharding
from waybill.exporter.formats.shard_end import ShardedEncoding
from waybill.exporter.ports import RowCounter
from waybill.exporter.shards.plan import ShareableSource
from waybill.infra.config.memory import size_in_bytes
from waybill.infra.config.settings import Settings
from waybill.infra.exports.plan import ExportPlan
from waybill.infra.sources.errors import SourceError
from waybill.infra.worker.dependencies import WorkerDependencies
from waybill.infra.worker.prediction import estimate_of
from waybill.infra.worker.shard_writing import encoding_of, fingerprint

#: How long the database may take to say how large the export is about.
_ESTIMATE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Split:
    """How an export is to be split."""

    source: ShareableSource
    encoding: ShardedEncoding
    #: The column whose ranges the shards are.
    key: str
    #: Of every shard but the last one, if there are not too many of them.
    rows_of_shard: int
    #: Expected size of the whole file.
    size_bytes: int
    #: Equal in every worker that writes the same bytes.
    fingerprint: str
    #: Each shard is a file of its own.
    is_set: bool


@dataclass(frozen=True, slots=True)
class _Expected:
    rows: int
    size_bytes: int


def split_of(dependencies: WorkerDependencies, plan: ExportPlan) -> Split | None:
    """How the export of `plan` is split; None where it is to be written as one.

    That is where it is too small or nobody knows its size, where it has no key, where its query has
    an order of its own, and where the source or the format cannot do it.
    """
    source = dependencies.sources[plan.dataset.reads]
    limits = thresholds(dependencies.settings, plan.dataset, plan.asked.sharding)
    is_set = plan.format.in_files or not dependencies.store.takes_unequal_parts
    encoding = encoding_of(plan, is_set=is_set)
    if limits.never or encoding is None:
        return None
    if plan.dataset.sheets or not isinstance(source, ShareableSource):
        return None
    key, mark = plan.dataset.key or _found_key(source, plan, limits), fingerprint(plan)
    if key is None or mark is None or not may_be_split(plan, key):
        return None
    expected = _expected(dependencies, source, plan)
    if expected is None:
        return None
    rows = rows_of_shard(dependencies.settings, limits, expected.rows, expected.size_bytes)
    if rows is None or expected.rows <= encoding.rows_of_shard(rows):
        return None
    of_shard = encoding.rows_of_shard(rows)
    return Split(source, encoding, key, of_shard, expected.size_bytes, mark, is_set)


def thresholds(settings: Settings, dataset: Dataset, asked: Sharding | None) -> Sharding:
    """What holds for a request that asks for `asked`; no size is left out."""
    defaults = Sharding(
        from_rows=settings.shard_from_rows, from_bytes=size_in_bytes(settings.shard_from_bytes)
    )
    return (asked or Sharding()).over(dataset.sharding.over(defaults))


def rows_of_shard(settings: Settings, limits: Sharding, rows: int, size_bytes: int) -> int | None:
    """About how many rows a shard of such an export has; None where it is too small for shards.

    Where it is large by its bytes alone, by halves: a little more or less in the estimate shall
    not change where shards begin, and so the file.
    """
    of_shard = settings.shard_rows
    if rows >= (limits.from_rows or 0):
        return of_shard
    if size_bytes < (limits.from_bytes or 0):
        return None
    while of_shard > 1 and of_shard * size_bytes > size_in_bytes(settings.shard_bytes) * rows:
        of_shard //= 2
    return of_shard


#: The least that a row takes on disk: its header, and its pointer.
_LEAST_ROW = 28
#: A file may be as many times as large as its table, which is compressed in part.
_MOST_OF_TABLE = 8


def _found_key(source: ShareableSource, plan: ExportPlan, limits: Sharding) -> str | None:
    """The key that the source finds, where its table is large enough for shards at all.

    The database is not asked how many rows a query on a small table has.
    """
    found = source.find_key(plan.query)
    if found is None:
        return None
    rows, size_bytes = found.table_bytes // _LEAST_ROW, found.table_bytes * _MOST_OF_TABLE
    is_small = rows < (limits.from_rows or 0) and size_bytes < (limits.from_bytes or 0)
    return None if is_small else found.column


def _expected(
    dependencies: WorkerDependencies, source: RowCounter, plan: ExportPlan
) -> _Expected | None:
    try:
        count = source.count(plan.query, within=_ESTIMATE)
    except SourceError:
        # What is really wrong shows when the rows are read, with the patience of an export.
        return None
    if count.counted is None and count.estimated is None:
        return None
    estimate = estimate_of(dependencies.estimator, plan, _ESTIMATE, count)
    if estimate.rows is None or estimate.size_bytes is None:
        return None
    return _Expected(estimate.rows, estimate.size_bytes)


def may_be_split(plan: ExportPlan, key: str) -> bool:
    """Whether the rows of the query, sorted by `key`, are what was asked for, and all of it.

    Where the key is masked, the order of the rows would tell its values.
    """
    query = plan.query
    if not isinstance(query, sa.Select) or plan.layout.sheet_by is not None:
        return False
    if plan.format.is_workbook and _has_more_than_rows(plan.layout):
        return False
    limits = (query._limit_clause, query._offset_clause, query._fetch_clause)
    if any(limit is not None for limit in limits) or key in plan.layout.hidden:
        return False
    if not query._order_by_clauses:
        return plan.layout.column(key).mask is None
    return _is_sorted_by(query, key)


def _is_sorted_by(query: sa.Select[tuple[object, ...]], key: str) -> bool:
    """Whether the order of `query` is that of its column `key`, upwards, and nothing else."""
    column = query.selected_columns.get(key)
    [first, *more] = query._order_by_clauses
    term = first.element if isinstance(first, _label_reference) else first
    # The order may be a piece of SQL, whose meaning nobody but the database knows.
    if more or column is None or not isinstance(term, sa.ColumnElement):
        return False
    return query.selected_columns.corresponding_column(term) is column


def _has_more_than_rows(layout: Layout) -> bool:
    """Whether sheets of its own, or anything above the headings, make a workbook one piece."""
    grouped = layout.rows_above or any(column.group for column in layout.columns.values())
    return bool(layout.about or layout.decorate or grouped)
