"""Single-flight keys: equal for two exports of one tenant that make the same file.

The key covers everything the bytes depend on besides the rows themselves. Rights are in it
as far as they are in the query: the statement is compiled with the caller's own values, so a
narrower role has another text or other values, and another key. What a dataset does with its
caller outside the query cannot be seen from here; see `_personal`.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa

import waybill
from waybill.exporter.datasets.dataset import Dataset, Query
from waybill.exporter.datasets.layout import Layout
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.datasets.sharding import Sharding
from waybill.exporter.formats.registry import Format
from waybill.infra.config.settings import Settings
from waybill.infra.sources.compiled_sql import compile_query
from waybill.infra.sources.databases import parse_database_url
from waybill.infra.sources.errors import SourceRejected
from waybill.infra.sources.names import ROWS, TASKS

#: Types whose `repr` says everything about a value.
_PLAIN = (
    *(bool, int, float, str, bytes, type(None)),
    *(Decimal, UUID, date, datetime, time, timedelta),
)


#: Another version may make other bytes. Looked up once: it is read from the disk.
_VERSION = waybill.__version__


class _NotComparable(TypeError):
    """A bound value of a type whose equality is unknown."""


@dataclass(frozen=True, slots=True)
class SingleFlightKeys:
    """Makes single-flight keys. The API and the workers have to agree on all of these."""

    #: Of each database in `Dataset.reads`.
    dialects: Mapping[str, sa.Dialect]

    def key_of(
        self,
        dataset: Dataset,
        query: Query,
        params: Mapping[str, Any],
        user: Principal,
        file_format: Format,
        layout: Layout,
        sharding: Sharding | None = None,
    ) -> str | None:
        """The key of `query`, as `dataset` made it for `user`, in a file that looks as `layout`.

        None when equality cannot be decided; such an export shares its run with no other.
        """
        try:
            text, values = compile_query(query, self.dialects[dataset.reads])
            parts = [
                *(_VERSION, user.tenant, dataset.name, layout.timezone.key),
                *(
                    file_format.name,
                    repr(file_format.csv_profile),
                    repr(file_format.parquet_profile),
                ),
                *(layout.title, layout.sheet_by, layout.rows_above),
                *(_own_language(layout), layout.template.digest if layout.template else ""),
                *(sorted(layout.hidden), _columns(layout)),
                *(text, _canonical(values)),
                _personal(dataset, params, user),
                # It decides whether the export is one file or a set.
                *((sharding.model_dump_json(),) if sharding else ()),
            ]
        except (SourceRejected, _NotComparable):
            return None
        return _hashed(parts)


def key_of_workbook(
    workbook: Dataset,
    sheets: Sequence[str | None],
    params: Mapping[str, Any],
    user: Principal,
    layout: Layout,
) -> str | None:
    """The key of a workbook, out of those of its sheets; None where one of them has none."""
    if None in sheets:
        return None
    parts = [workbook.name, layout.title, list(sheets), _personal(workbook, params, user)]
    return _hashed([*parts, _own_language(layout)])


def _hashed(parts: Sequence[Any]) -> str:
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@lru_cache(maxsize=8)
def single_flight_keys(settings: Settings) -> SingleFlightKeys:
    """The maker of keys for an installation with these settings."""
    urls = {ROWS: settings.rows_database_url, TASKS: settings.task_database_url}
    dialects = {name: parse_database_url(url).get_dialect()() for name, url in urls.items()}
    return SingleFlightKeys(dialects)


def _personal(dataset: Dataset, params: Mapping[str, Any], user: Principal) -> list[Any] | None:
    """Who asked, where a file may show it.

    "About this export" names the caller and the filters. `decorate` does not receive the caller,
    but it runs after the query was built for one caller, and may have been left something.
    """
    if not dataset.about and dataset.decorate is None:
        return None
    caller = [user.user, sorted(user.roles), dict(sorted(user.attributes.items()))]
    return [*caller, dict(sorted(params.items()))]


def _own_language(layout: Layout) -> str:
    """The language of what the file says about itself."""
    return layout.language if layout.about else ""


def _columns(layout: Layout) -> list[list[str]]:
    return [[name, repr(column)] for name, column in sorted(layout.columns.items())]


def _canonical(value: Any) -> Any:
    """`value` in a form of JSON in which different values differ."""
    if type(value) in _PLAIN:
        return [type(value).__name__, repr(value)]
    if isinstance(value, Enum):
        return ["enum", type(value).__qualname__, value.name]
    if isinstance(value, Mapping):
        return ["map", sorted([str(name), _canonical(item)] for name, item in value.items())]
    if isinstance(value, list | tuple):
        return ["list", *map(_canonical, value)]
    if _is_psycopg_json(value):
        return ["json", _canonical(value.obj)]
    raise _NotComparable


def _is_psycopg_json(value: Any) -> bool:
    """Whether `value` is a `Json` or `Jsonb` of psycopg, which is an extra."""
    module = sys.modules.get("psycopg.types.json")
    return module is not None and isinstance(value, module.Json | module.Jsonb)
