"""Each guard is held by the test that the matrix names for it: without the guard, that test fails.

The named test runs twice in a session of its own inside this process: as the code is, and with one
guard taken out of the running code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from waybill.faults import Fault
from waybill.infra.tasks.audit import Actor
from waybill.infra.tasks.lifecycle import transitions
from waybill.infra.tasks.lifecycle.scheduler import FairScheduler

TESTS = Path(__file__).parents[1]
#: Nothing of the session around it: neither its processes, nor its plugins for output.
OPTIONS = ("-q", "--no-header", "--no-summary", "-p", "no:xdist", "-p", "no:cacheprovider")


def nothing(*_: Any, **__: Any) -> None:
    """In the place of a guard that only acts."""


async def finds_nothing(*_: Any, **__: Any) -> None:
    """In the place of a guard that looks first."""


def always(answer: object) -> Callable[..., Any]:
    """In the place of a guard that decides."""
    return lambda *_, **__: answer


def overwrite(draft: Path, path: Path) -> None:
    """Make a draft the secret, also over one that is there."""
    draft.replace(path)


def counted(connection, now, held, worker, *, waiting_for, code, message, delay) -> bool:
    """What `postpone` does, as an attempt that counts."""
    actor = Actor.worker(worker)
    details = {"code": code, "message": message, "retry_in": delay}
    return transitions.fail(connection, now, held, actor=actor, **details) is not None


def beside_others(self, queue, worker, hint=None, *, alone=True, claim=FairScheduler.claim_next):
    """What `claim_next` does, for a worker that says it is idle."""
    return claim(self, queue, worker, hint)


@dataclass(frozen=True)
class Mutation:
    """What is put in the place of a guard, and the test that has to notice."""

    guard: str
    instead: Any
    test: str


CONFIG, WORKER = "waybill.infra.config", "waybill.infra.worker"
KEYS, SERVER = "waybill.api.session.provider_keys", "waybill.api.cli.http_server"
NOTIFICATIONS, LIFECYCLE = "waybill.infra.notifications", "waybill.infra.tasks.lifecycle"
CONTRACT = "contract/test_task_outages.py"

MUTATIONS = {
    "r37 a secret of an example": Mutation(
        f"{CONFIG}.weak_secrets.is_guessable",
        always(False),
        "unit/test_weak_secrets.py"
        "::test_r37_a_weak_secret_for_tokens_is_refused_where_others_can_listen",
    ),
    "r37 a password of an example": Mutation(
        f"{CONFIG}.weak_secrets._is_weak_password",
        always(False),
        "unit/test_weak_secrets.py::test_r37_a_weak_password_of_a_server_elsewhere_is_refused",
    ),
    "r37 an address elsewhere": Mutation(
        f"{CONFIG}.weak_secrets.leaves_machine",
        always(False),
        "unit/test_weak_secrets.py"
        "::test_r37_behind_a_proxy_that_others_reach_loopback_is_no_excuse",
    ),
    "r38 one line a minute": Mutation(
        f"{CONFIG}.log_floods.FloodFilter.filter",
        always(True),
        "integration/test_api_half_sent.py::test_r38_a_flood_leaves_one_line_a_minute",
    ),
    "r38 descriptors left over": Mutation(
        f"{SERVER}._OTHER_DESCRIPTORS",
        0,
        "integration/test_api_half_sent.py"
        "::test_r38_connections_and_those_about_to_be_closed_leave_descriptors_for_the_rest",
    ),
    "r38 a bound of all streams": Mutation(
        "waybill.api.events.hub.EventHub.open_streams",
        property(always(0)),
        "unit/test_api_event_stream.py::test_r38_the_streams_of_all_users_together_are_bounded",
    ),
    "r39 look-ups of one tenant": Mutation(
        f"{NOTIFICATIONS}.lookups._PER_TENANT",
        8,
        "unit/test_notification_rules.py"
        "::test_r39_names_that_nobody_answers_for_hold_up_no_other_tenant",
    ),
    "r39 look-ups of all tenants": Mutation(
        f"{NOTIFICATIONS}.lookups._AT_ONCE",
        16,
        "unit/test_notification_rules.py::test_r39_many_tenants_together_wait_for_eight_look_ups",
    ),
    "r41 entries in the hash": Mutation(
        "waybill.infra.tasks.audit_chain._line",
        always(b""),
        "contract/test_audit_protection.py::test_r41_what_an_owner_changes_breaks_the_chain",
    ),
    "r42 one secret of many starts": Mutation(
        f"{CONFIG}.stored_secret._publish",
        overwrite,
        "unit/test_signing_secret.py::test_r42_processes_that_start_together_agree_on_one_secret",
    ),
    "r42 a length of secrets": Mutation(
        f"{CONFIG}.stored_secret.MIN_SECRET_BYTES",
        0,
        "unit/test_signing_secret.py::test_r42_a_file_with_less_than_a_secret_is_refused",
    ),
    "r43 no command to a terminal": Mutation(
        "waybill.api.cli.console.visible",
        str,
        "unit/test_cli_terminal.py::test_r43_an_error_message_moves_no_terminal",
    ),
    "r44 sealed paths": Mutation(
        f"{NOTIFICATIONS}.stored_targets.StoredTargets.seal",
        lambda _, notify: dict(notify),
        "unit/test_stored_targets.py"
        "::test_r44_a_stored_webhook_shows_its_host_and_nothing_of_its_path",
    ),
    "r45 an address that somebody verified": Mutation(
        "waybill.api.session.tokens.email_of",
        lambda claims, *, trusted: claims.get("email"),
        "unit/test_auth_tokens.py"
        "::test_r45_only_an_address_that_the_provider_verified_is_the_callers_own",
    ),
    "r46 keys over TLS": Mutation(
        f"{CONFIG}.settings.is_loopback",
        always(True),
        "unit/test_settings.py::test_r46_keys_of_an_identity_provider_come_over_tls",
    ),
    "r46 a length of keys": Mutation(
        f"{KEYS}._MIN_RSA_BITS",
        0,
        "integration/test_provider_keys.py::test_r46_a_short_rsa_key_verifies_nothing",
    ),
    "r47 callers before bodies": Mutation(
        "waybill.api.app.identity_of",
        always(None),
        "integration/test_api_strangers.py::test_r47_a_stranger_is_told_nothing_of_a_body[sqlite]",
    ),
    "r48 an end of old keys": Mutation(
        f"{KEYS}._KEEP",
        timedelta(days=1),
        "integration/test_provider_keys.py::test_r48_the_last_good_keys_are_used_for_an_hour",
    ),
    "r48 a pause between fetches": Mutation(
        f"{KEYS}._COOLDOWN",
        timedelta(seconds=-1),
        "integration/test_provider_keys.py::test_r48_a_new_key_is_fetched_when_a_token_names_it",
    ),
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
}


def outcome(test: str) -> int:
    """How a session with this test alone ends."""
    return pytest.main([*OPTIONS, f"{TESTS}/{test}"])


@pytest.mark.parametrize("name", MUTATIONS)
def test_without_this_guard_its_test_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation = MUTATIONS[name]
    assert outcome(mutation.test) == pytest.ExitCode.OK
    monkeypatch.setattr(mutation.guard, mutation.instead)
    assert outcome(mutation.test) == pytest.ExitCode.TESTS_FAILED
