"""Settings of attempts: how many, how long they may be silent, and what they may take."""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, Field

from waybill.infra.config.value_types import (
    Delays,
    MemoryText,
    OptionalAddress,
    Seconds,
    SizeText,
)


class RunSettings(BaseModel):
    """The part of `Settings` that is about workers and attempts."""

    max_attempts: int = Field(3, ge=1, le=100, description="Attempts of one task.")
    lease: Seconds = Field(
        timedelta(seconds=60),
        ge=timedelta(seconds=1),
        le=timedelta(hours=1),
        validation_alias="WAYBILL_LEASE_SECONDS",
        description="Seconds without a heartbeat after which a worker loses its task.",
    )
    stall: Seconds = Field(
        timedelta(hours=1),
        ge=timedelta(seconds=1),
        le=timedelta(days=1),
        validation_alias="WAYBILL_STALL_SECONDS",
        description="Seconds without progress after which an attempt is ended and tried again. "
        "Has to be longer than the longest sort or count of any query.",
    )
    retry_delays: Delays = Field(
        tuple(timedelta(seconds=n) for n in (2, 8, 30, 120)),
        description="Seconds before the second, third … attempt; the last one repeats.",
    )
    give_up_after: Seconds = Field(
        timedelta(days=1),
        ge=timedelta(seconds=1),
        le=timedelta(days=30),
        description="Seconds that a task waits for an object store or a source database that is "
        "away. The wait costs no attempt; after it the task is FAILED.",
    )
    concurrency: int = Field(
        2,
        ge=1,
        le=64,
        description="Exports that one worker runs at once, for each queue, if WAYBILL_MEMORY has "
        "room for them.",
    )
    slice: Seconds = Field(
        timedelta(seconds=60),
        ge=timedelta(0),
        le=timedelta(hours=1),
        description="Seconds that an export runs before it is paused, if others of its queue wait; "
        "it goes on after as long, or when none waits. 0: an export is never paused.",
    )
    max_paused: int = Field(
        4,
        ge=0,
        le=64,
        description="Exports that one worker keeps paused at most, if WAYBILL_MEMORY has room for "
        "them.",
    )
    shard_from_rows: int = Field(
        20_000_000,
        ge=2,
        description="Expected rows from which on an export is written in shards, by all workers "
        "that have room. Datasets and requests may say otherwise.",
    )
    shard_from_bytes: SizeText = Field(
        "2GiB",
        description="The same for the expected size of the file, such as `500MB`. Either is "
        "enough.",
    )
    shard_rows: int = Field(
        5_000_000, ge=1, description="Rows of one shard; more where there would be hundreds."
    )
    shard_bytes: SizeText = Field(
        "512MiB",
        description="Expected size of one shard of an export that is split for its size: it has "
        "a half, a quarter … of `WAYBILL_SHARD_ROWS`.",
    )
    memory: MemoryText = Field(
        "80%",
        description="Memory budget of one process for itself and all its exports: `512MiB`, "
        "`1.5GB`, or a share of the container's limit, `60%` (of the machine's memory without "
        "one). Exports that would pass it wait, and a row that would is `row_too_large`.",
    )
    worker_address: OptionalAddress = Field(
        None,
        description="Where `waybill worker` answers `/healthz` and `/metrics`, for probes and "
        "Prometheus: `0.0.0.0:9100`. `WAYBILL_METRICS_TOKEN` holds there, too. Default: nowhere.",
    )
    shutdown_grace: Seconds = Field(
        timedelta(seconds=10),
        ge=timedelta(0),
        le=timedelta(hours=1),
        description="Seconds that running exports have to finish when the process is asked to end.",
    )
