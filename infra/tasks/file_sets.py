"""Sets of files: an export in shards whose shards are files of their own, named by a manifest.

::

    <key of the export>/manifest.json         what a finished task refers to; written last
    <key of the export>/part-00001.parquet    one for each shard

All of them are on record before the first is written, each with the key of the manifest. So what
becomes of the manifest becomes of the files: kept while a task refers to it, or may go on with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from waybill.exporter.filenames import set_file_name
from waybill.infra.db.engine import read_transaction
from waybill.infra.db.tables import export_task, shard_plan, storage_object
from waybill.infra.tasks.model import Task
from waybill.infra.tasks.states import LIVE, TaskStatus

_object = storage_object.c
_task = export_task.c
_plan = shard_plan.c

_MANIFEST = "/manifest.json"
MANIFEST_MEDIA_TYPE = "application/json"


@dataclass(frozen=True, slots=True)
class SetFile:
    """One file of a set."""

    key: str
    #: As the plan has them, until it is written.
    rows: int
    #: None: it is not written yet.
    size_bytes: int | None
    sha256: str | None

    @property
    def is_written(self) -> bool:
        """Whether it is there, whole."""
        return self.sha256 is not None

    @property
    def name(self) -> str:
        """As the manifest has it."""
        return self.key.rsplit("/", 1)[1]


def manifest_key(key: str) -> str:
    """The key of the manifest of a set, where `key` is one of the export, with its extension."""
    return key + _MANIFEST


@dataclass(frozen=True, slots=True)
class Shown:
    """What people and browsers get of an object: the name, and the ``Content-Type``."""

    filename: str
    media_type: str


def shown_as(key: str, filename: str, extension: str, media_type: str) -> Shown:
    """How the object `key` of an export is shown, where one file would be called `filename`.

    The files of a set keep the beginning of its name: `orders-part-00001.parquet`.
    """
    folder, _, name = key.rpartition("/")
    stem = filename.removesuffix(f".{extension}")
    if is_set(key):
        return Shown(f"{stem}-{name}", MANIFEST_MEDIA_TYPE)
    if folder.endswith(f".{extension}"):
        return Shown(f"{stem}-{name}", media_type)
    return Shown(filename, media_type)


def is_set(key: str) -> bool:
    """Whether the object of this key is the manifest of a set."""
    return key.endswith(_MANIFEST)


def file_key(of_manifest: str, shard: int) -> str:
    """The key of the file of a shard, counted from 0."""
    folder = of_manifest.removesuffix(_MANIFEST)
    extension = folder.rsplit("/", 1)[1].split(".", 1)[1]
    return f"{folder}/{set_file_name(shard, extension)}"


def of_set(key: str) -> sa.ColumnElement[bool]:
    """The condition that a record is that of the object `key`, or of a file of its set."""
    whole = storage_object.alias("whole")
    # Found by the index of tasks: all files of a set were written for one.
    writer = sa.select(whole.c.task_id).where(whole.c.key == key).scalar_subquery()
    return sa.or_(_object.key == key, sa.and_(_object.task_id == writer, _object.set_key == key))


def key_of_set(connection: Connection, key: str) -> str:
    """The key of the manifest, where `key` is that of a file of a set; else `key`."""
    query = sa.select(_object.set_key).where(_object.key == key)
    return connection.execute(query).scalar_one_or_none() or key


def files_of_set(connection: Connection, key: str) -> list[SetFile]:
    """The files of a set, in the order of their rows; none without a record of it."""
    query = sa.select(_object.key, _object.rows, _object.size_bytes, _object.sha256).where(
        of_set(key), _object.set_key.is_not(None)
    )
    files = [SetFile(*row) for row in connection.execute(query)]
    # Databases have many orders of texts.
    return sorted(files, key=lambda file: file.key)


def record_files(
    connection: Connection, key: str, rows: Iterable[tuple[int, int]], **record: object
) -> None:
    """Record the files that are going to be written, by the number and the rows of each shard."""
    connection.execute(
        sa.insert(storage_object),
        [
            {**record, "key": file_key(key, number), "set_key": key, "rows": count, "state": "OPEN"}
            for number, count in rows
        ],
    )


def record_written(
    connection: Connection, key: str, *, rows: int | None, size_bytes: int, sha256: str
) -> None:
    """Record what a file of a set is, or its manifest."""
    connection.execute(
        sa.update(storage_object)
        .where(_object.key == key)
        .values(rows=rows, size_bytes=size_bytes, sha256=sha256)
    )


class FileSets:
    """Reads the sets of tasks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def of(self, task: Task) -> Sequence[SetFile]:
        """The files of `task`, or of the task whose run it shares; none where it is no set."""
        with read_transaction(self._engine) as connection:
            key = _key_of(connection, task)
            return files_of_set(connection, key) if key is not None and is_set(key) else []

    def manifest_bytes(self, key: str) -> int | None:
        """The size of a manifest; None if it is not on record."""
        with read_transaction(self._engine) as connection:
            return connection.execute(
                sa.select(_object.size_bytes).where(_object.key == key)
            ).scalar_one_or_none()


def _key_of(connection: Connection, task: Task) -> str | None:
    if task.status == TaskStatus.SUCCESS:
        return task.object_key
    if task.status not in LIVE:
        return None
    runs = [task.id] if task.joined_id is None else [task.joined_id]
    query = (
        sa.select(_plan.object_key)
        .join(export_task, _task.id == _plan.task_id)
        .where(_plan.task_id.in_(runs), _task.status.in_(LIVE))
    )
    return connection.execute(query).scalar_one_or_none()
