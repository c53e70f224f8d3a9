"""Guards against faults, F80 to F133 of the matrix in docs/reliability.md."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from tests.support.mutations.mutation import Mutation, always, finds_nothing, nothing
from waybill.faults import Fault
from waybill.infra.sources.mysql.connection import WireConnection
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.lifecycle import transitions
from waybill.infra.tasks.lifecycle.scheduler import FairScheduler


def counted(connection, now, held, worker, *, waiting_for, code, message, delay) -> bool:
    """What `postpone` does, as an attempt that counts."""
    actor = Actor.worker(worker)
    details = {"code": code, "message": message, "retry_in": delay}
    return transitions.fail(connection, now, held, actor=actor, **details) is not None


def beside_others(self, queue, worker, hint=None, *, alone=True, claim=FairScheduler.claim_next):
    """What `claim_next` does, for a worker that says it is idle."""
    return claim(self, queue, worker, hint)


async def forgets(process, ended, grace):
    """Ask a process to end, and leave it to itself."""
    process.terminate()


def opens_and_closes(path):
    """Try whether a file can be read, by a descriptor of one's own."""
    with path.open("rb"):
        pass


def waits_without_end(**arguments):
    """A connection that waits for its greeting as long as it takes."""
    return WireConnection(**{**arguments, "read_timeout": None})


WORKER, LIFECYCLE = "waybill.infra.worker", "waybill.infra.tasks.lifecycle"
CONTRACT = "contract/test_task_outages.py"
AWAY = (
    "integration/test_source_outages.py"
    "::test_f130_a_source_of_any_kind_that_does_not_answer_is_away_and_costs_no_attempt"
)

FAULT_GUARDS = {
    "f80 an attempt that is not counted": Mutation(
        f"{LIFECYCLE}.transitions.postpone",
        counted,
        f"{CONTRACT}::test_a_fault_of_the_installation_counts_as_no_attempt[sqlite]",
    ),
    "f80 claims that stop": Mutation(
        f"{WORKER}.outages.Outages._probe",
        finds_nothing,
        "unit/test_worker_outages.py::test_while_a_part_is_away_claims_wait_and_one_line_says_so",
    ),
    "f81 the source is a part of the installation": Mutation(
        "waybill.infra.sources.errors.SourceAway.fault",
        Fault.TASK,
        "unit/test_failure_decisions.py",
    ),
    "f82 an end of waiting": Mutation(
        f"{LIFECYCLE}.transitions.give_up",
        always(False),
        f"{CONTRACT}::test_a_time_ends_the_wait_and_not_a_count[sqlite]",
    ),
    "f83 a worker with a wrong clock": Mutation(
        f"{WORKER}.outages.Outages._refuse_wrong_clock",
        finds_nothing,
        "unit/test_worker_outages.py::test_a_worker_whose_own_clock_is_wrong_is_ill",
    ),
    "f84 a task that runs alone": Mutation(
        f"{LIFECYCLE}.scheduler.FairScheduler.claim_next",
        beside_others,
        f"{CONTRACT}::test_after_a_lost_worker_a_task_is_claimed_by_an_idle_worker_only[sqlite]",
    ),
    "f86 no archive under a rule that deletes": Mutation(
        f"{WORKER}.audit_archiver.AuditArchiver._may_store",
        always(True),
        "contract/test_audit_archive.py"
        "::test_f86_nothing_is_archived_where_a_rule_of_the_bucket_would_delete_it[sqlite]",
    ),
    "f88 tables of a newer version": Mutation(
        "waybill.infra.db.migrate._Schema.is_newer",
        property(always(False)),
        "contract/test_migrations.py::test_f88_tables_of_a_newer_version_stay_as_they_are[sqlite]",
    ),
    "f90 a file that is gone": Mutation(
        "waybill.infra.files.stored_files.StoredFiles.is_missing",
        always(False),
        "integration/test_api_file_missing.py"
        "::test_f90_a_file_that_is_gone_is_reused_by_nobody[deleted]",
    ),
    "f91 most files cannot be gone": Mutation(
        "waybill.infra.files.background._MANY",
        1 << 30,
        "integration/test_reconcile.py"
        "::test_f91_the_sweeper_does_not_believe_that_most_files_are_gone[sqlite]",
    ),
    "f112 bytes are read": Mutation(
        "waybill.infra.files.reconcile.read_back",
        always([]),
        "integration/test_reconcile_read.py"
        "::test_f112_a_file_that_is_listed_and_not_returned_is_found_by_reading_and_never_expired",
    ),
    "f112 bytes are compared": Mutation(
        "waybill.infra.files.read_back.is_tree_digest",
        always(True),
        "integration/test_reconcile_read.py"
        "::test_f112_a_file_with_other_bytes_is_expired_like_one_that_is_gone",
    ),
    "f92 rules of others": Mutation(
        "waybill.storage.lifecycle._beside",
        lambda _, required, *rest: list(required.values()),
        "integration/test_s3_buckets.py"
        "::test_f92_installations_on_one_bucket_do_not_change_each_others_retention",
    ),
    "f95 the silent address last": Mutation(
        "waybill.infra.broker.rabbitmq.addresses.BrokerAddresses.did_not_answer",
        nothing,
        "unit/test_broker_addresses.py"
        "::test_f95_the_address_that_did_not_answer_last_is_asked_last",
    ),
    "f99 a lock while it lives": Mutation(
        f"{WORKER}.worker_locks.fcntl.flock",
        nothing,
        "faults/test_ended_workers.py"
        "::test_f99_a_worker_has_ended_once_and_only_when_its_process_has",
    ),
    "f100 a refusal in time": Mutation(
        "waybill.api.http.admission.Lane.check",
        nothing,
        "unit/test_api_admission.py"
        "::test_f100_what_would_come_too_late_is_refused_at_once_with_a_time",
    ),
    "f102 a pause between writes": Mutation(
        "waybill.api.health.readiness._MAX_AGE",
        timedelta(0),
        "unit/test_api_readiness.py"
        "::test_f102_what_writes_does_so_once_in_five_seconds_however_many_ask",
    ),
    "f105 a row without room": Mutation(
        "waybill.exporter.rows.row_sizes._first_larger",
        always(None),
        "unit/test_row_sizes.py::test_f105_the_row_and_its_largest_column_are_named",
    ),
    "f106 room of all queues": Mutation(
        f"{WORKER}.capacity.Capacity.is_full",
        property(always(False)),
        "unit/test_memory_budget.py::test_f106_all_queues_share_the_room_and_none_more_than_its_own",
    ),
    "f109 an export that steps aside": Mutation(
        f"{WORKER}.slots.Slots._step_aside",
        finds_nothing,
        "faults/test_step_aside.py::test_f109_long_exports_take_turns",
    ),
    "f109 a pause that a stop ends": Mutation(
        f"{WORKER}.slots.Slots.end_paused",
        finds_nothing,
        "faults/test_step_aside.py::test_f109_a_worker_that_ends_returns_a_paused_export_at_once",
    ),
    "f110 an attempt that lasts": Mutation(
        "waybill.infra.tasks.shards._is_wanted",
        always(sa.true()),
        "contract/test_task_shards.py::test_f110_no_shard_outlives_its_attempt",
    ),
    "f110 the end of a run": Mutation(
        "waybill.storage.part_run.MIN_PART_BYTES",
        0,
        "unit/test_shards.py::test_the_end_of_a_run_is_never_too_short_for_a_part",
    ),
    "f110 one snapshot": Mutation(
        "waybill.infra.sources.postgres.stream.PostgresStream._import_snapshot",
        nothing,
        "integration/test_source_postgres_shards.py"
        "::test_every_row_is_in_one_shard_of_one_snapshot",
    ),
    "f115 what is left": Mutation(
        "waybill.infra.tasks.shard_plans.ShardPlans.left",
        always(None),
        "contract/test_shard_plans.py"
        "::test_f115_the_next_attempt_has_what_is_written_and_writes_the_rest[sqlite]",
    ),
    "f115 one snapshot by any name": Mutation(
        "waybill.infra.sources.postgres.stream.PostgresStream._imports",
        always(True),
        "integration/test_source_postgres_shards.py"
        "::test_a_name_that_another_snapshot_has_now_leads_nowhere",
    ),
    "f116 a plan of this attempt": Mutation(
        "waybill.infra.tasks.shard_plans.held",
        always((sa.true(),)),
        "contract/test_shard_plans.py::test_f116_who_lost_the_plan_cannot_give_it_up[sqlite]",
    ),
    "f116 an end of plans": Mutation(
        f"{LIFECYCLE}.transitions.completion.forget_plan",
        nothing,
        "contract/test_shard_plans.py::test_f116_no_plan_outlives_a_task_without_a_file",
    ),
    "f133 how far a shard is": Mutation(
        "waybill.infra.tasks.shards._reached",
        always(None),
        "contract/test_task_shards.py"
        "::test_f133_the_next_claim_of_a_shard_goes_on_where_the_last_one_was[sqlite]",
    ),
    "f133 the rows behind a key": Mutation(
        "waybill.exporter.shards.plan.Shard.behind",
        lambda shard, key, rows: shard,
        "integration/test_source_postgres_shards.py"
        "::test_f133_the_rest_of_a_shard_is_read_behind_a_key",
    ),
    "f85 an end of silent transactions": Mutation(
        "waybill.infra.db.engine._end_silent_transactions",
        nothing,
        "integration/test_database_connections.py"
        "::test_f85_no_connection_may_be_silent_in_a_transaction_for_long",
    ),
    "f87 a batch that is chosen once": Mutation(
        "waybill.infra.db.batches.chosen_once",
        lambda query: query,
        "contract/test_batches.py::test_f87_each_batch_is_chosen_once[sqlite]",
    ),
    "f89 another try after a lock": Mutation(
        "waybill.infra.db.migrate._TRY_AGAIN",
        (),
        "integration/test_online_migrations.py"
        "::test_f89_a_transaction_that_never_ends_is_named_after_a_time",
    ),
    "f93 links by the clock of the store": Mutation(
        "waybill.storage.presign._TRUSTED_SKEW",
        timedelta(days=1),
        "unit/test_clocks.py::test_f93_a_link_is_dated_by_the_clock_of_the_store",
    ),
    "f93 a clock that is wrong": Mutation(
        "waybill.infra.db.availability._MAX_SKEW",
        timedelta(days=1),
        "unit/test_clocks.py::test_f93_a_clock_that_is_off_by_more_than_half_a_minute_is_named",
    ),
    "f96 a confirm of each queue": Mutation(
        "waybill.infra.broker.rabbitmq.broker.probe_queue",
        finds_nothing,
        "faults/test_unconfirmed_queues.py"
        "::test_f96_a_queue_that_confirms_nothing_is_named_until_it_does_again",
    ),
    "f103 columns of one kind": Mutation(
        "waybill.exporter.formats.xlsx.stacks._can_be_joined",
        always(False),
        "unit/test_xlsx_wide_rows.py"
        "::test_f103_columns_of_one_kind_are_one_step_however_many_they_are",
    ),
    "f104 a bound of cells": Mutation(
        "waybill.exporter.formats.text_rows.CELLS_AT_ONCE",
        1 << 50,
        "unit/test_text_rows.py::test_f104_wide_rows_are_rendered_by_cells",
    ),
    "f107 exports that memory has room for": Mutation(
        "waybill.infra.config.memory.MemoryBudget.exports_at_once",
        property(always(1 << 20)),
        "faults/test_memory_budget.py"
        "::test_f106_what_memory_has_no_room_for_waits_unclaimed_and_then_runs",
    ),
    "f108 names of each installation": Mutation(
        "waybill.infra.broker.rabbitmq.topology.Names.prefix",
        property(always("exp.v1.")),
        "unit/test_topology.py::test_f108_two_installations_share_no_name_but_that_of_their_list",
    ),
    "f97 a connection to what has become a standby": Mutation(
        "waybill.infra.db.engine._ENDS_THE_CONNECTION",
        (),
        "integration/test_database_states.py"
        "::test_a_database_that_takes_no_writes_is_a_503_and_not_ready",
    ),
    "f98 a test of idle connections": Mutation(
        "waybill.infra.db.engine.check_when_idle",
        nothing,
        "integration/test_database_connections.py"
        "::test_f98_no_connection_of_a_dead_primary_is_used_once_it_was_idle",
    ),
    "f101 an end with the parent": Mutation(
        "waybill.api.cli.api_processes.stop_with_parent",
        nothing,
        "unit/test_api_processes.py::test_f101_the_end_of_the_parent_ends_a_process",
    ),
    "f101 an end of waiting for a process": Mutation(
        "waybill.api.cli.api_processes._end",
        forgets,
        "unit/test_api_processes.py::test_f101_a_process_that_does_not_end_is_killed",
    ),
    "f111 locks of SQLite": Mutation(
        "waybill.infra.sources.sqlite.opening.SqliteFile._check_readable",
        staticmethod(opens_and_closes),
        "integration/test_source_sqlite_files.py"
        "::test_f111_reading_a_file_ends_no_lock_of_its_writers",
    ),
    "f113 hours that are shown twice": Mutation(
        "waybill.exporter.formats.xlsx.time_cells.repeated",
        always(None),
        "unit/test_xlsx_times.py"
        "::test_f113_an_hour_that_clocks_show_twice_is_text_with_its_offset_and_counted",
    ),
    "f114 uploads of attempts": Mutation(
        "waybill.infra.files.reconcile.Reconciler.unrecorded_uploads",
        lambda self, begun_by: list(self._store.list_uploads(self._prefix)),
        "integration/test_reconcile.py"
        "::test_f114_uploads_on_no_record_are_aborted_and_those_of_attempts_are_not[sqlite]",
    ),
    "f114 uploads of probes": Mutation(
        "waybill.infra.files.background.BackgroundReconcile._look_at_uploads",
        nothing,
        "integration/test_reconcile.py"
        "::test_f114_the_sweeper_aborts_uploads_that_tried_a_store_which_was_away[sqlite]",
    ),
    "f130 an end of waiting for a greeting": Mutation(
        "waybill.infra.sources.mysql.session.WireConnection",
        waits_without_end,
        f"{AWAY}[mariadb-frozen]",
    ),
    "f130 a server that was asked": Mutation(
        "waybill.infra.sources.adbc.flight_sql._ask", nothing, f"{AWAY}[flightsql-gone]"
    ),
    "f131 a known reason": Mutation(
        "waybill.api.problems.handler.known_reason",
        always(None),
        "integration/test_api_failures.py"
        "::test_f131_a_full_disk_refuses_each_request_in_one_line_and_takes_them_again_afterwards",
    ),
}
