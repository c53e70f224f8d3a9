"""Guards against hostile requests, R36 to R63 of the matrix in docs/reliability.md."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.support import supply_chain
from tests.support.mutations.mutation import Mutation, always, nothing
from waybill.storage import seaweedfs


async def in_a_shared_thread(self: Any) -> dict[str, str]:
    """What `Readiness.ask` does, in a thread that requests use too."""
    async with asyncio.timeout(1):
        return await asyncio.to_thread(self.failures)


def overwrite(draft: Path, path: Path) -> None:
    """Make a draft the secret, also over one that is there."""
    draft.replace(path)


CONFIG, TOKENS = "waybill.infra.config", "waybill.api.session.tokens"
KEYS, SERVER = "waybill.api.session.provider_keys", "waybill.api.cli.http_server"
NOTIFICATIONS = "waybill.infra.notifications"
SUPPLY_CHAIN = "tests.support.supply_chain"
SUPPLY_TEST = "unit/test_supply_chain.py::test_r60_"
_locked = supply_chain.locked

REQUEST_GUARDS = {
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
    "r36 ports of the embedded store": Mutation(
        "waybill.storage.seaweedfs._FLAGS",
        tuple(flag for flag in seaweedfs._FLAGS if flag != "-disableHttp"),
        "integration/test_s3_embedded.py"
        "::test_r36_no_port_of_the_server_gives_takes_or_deletes_a_file_without_a_signature",
    ),
    "r36 signing keys of the embedded store": Mutation(
        "waybill.storage.server_identity.ServerIdentity.with_signing_keys",
        lambda self: self,
        "integration/test_s3_embedded.py"
        "::test_r36_no_port_of_the_server_gives_takes_or_deletes_a_file_without_a_signature",
    ),
    "r38 an end of waiting for the rest": Mutation(
        f"{SERVER}.BoundedProtocol._late",
        nothing,
        "integration/test_api_half_sent.py"
        "::test_r38_a_request_that_does_not_end_is_answered_and_closed_in_time[half a header]",
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
    "r40 a rate": Mutation(
        "waybill.infra.db.token_buckets.Rate.capacity",
        property(always(1 << 50)),
        "contract/test_rates.py::test_r40_submit_and_cancel_in_a_loop_ends_at_the_rate[sqlite]",
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
        f"{CONFIG}.identity.is_loopback",
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
    "r48 threads of its own": Mutation(
        "waybill.api.health.readiness.Readiness.ask",
        in_a_shared_thread,
        "unit/test_api_readiness.py::test_r48_probes_are_answered_while_every_thread_is_busy",
    ),
    "r49 addresses of a cloud": Mutation(
        "waybill.infra.notifications.webhook_targets.is_public",
        always(True),
        "unit/test_webhook_targets.py"
        "::test_r49_an_address_at_which_a_cloud_serves_its_own_machines_is_refused",
    ),
    "r50 an end of tokens": Mutation(
        f"{TOKENS}._life",
        always(timedelta(0)),
        "unit/test_token_purpose.py::test_r50_a_token_is_valid_for_a_day_at_most",
    ),
    "r50 the purpose of a token": Mutation(
        f"{TOKENS}.other_purpose",
        always(None),
        "unit/test_token_purpose.py::test_r50_a_token_for_another_purpose_lets_nobody_in",
    ),
    "r51 every token of a user": Mutation(
        "waybill.infra.sessions.denylist.Denylist.end_all_sessions",
        lambda denylist, token: denylist.end_session(token),
        "integration/test_api_sessions.py::test_r51_a_user_logs_out_everywhere[sqlite]",
    ),
    "r52 a name that needs tls": Mutation(
        "waybill.api.session.cookie._is_over_tls",
        always(False),
        "integration/test_api_sessions.py"
        "::test_r52_over_tls_the_cookie_cannot_be_set_by_a_page_that_is_not[]",
    ),
    "r53 figures for this machine": Mutation(
        "waybill.api.health.access._is_from_this_machine",
        always(True),
        "integration/test_api_metrics.py"
        "::test_r53_without_a_token_another_machine_gets_no_figures[sqlite]",
    ),
    "r54 keys of others": Mutation(
        "waybill.api.exports.downloads.belongs_to",
        always(True),
        "integration/test_api_downloads.py"
        "::test_r54_a_row_that_names_a_file_of_others_opens_it_for_nobody[sqlite]",
    ),
    "r55 a ticket that was used": Mutation(
        "waybill.infra.sessions.tickets.Tickets.use",
        always(True),
        "integration/test_api_login_links.py::test_r55_a_login_link_makes_one_session[sqlite]",
    ),
    "r56 a .env of others": Mutation(
        f"{CONFIG}.settings.check_env_file",
        nothing,
        "unit/test_env_file.py::test_r56_a_file_of_another_user_is_refused_except_to_sudo",
    ),
    "r59 closed to others": Mutation(
        f"{CONFIG}.home._OTHERS",
        0,
        "unit/test_home.py::test_r59_a_home_of_an_older_version_is_closed_to_others[engine]",
    ),
    # Their guards are files: what stands in them is changed where the tests read it.
    "r60 a lock of everything": Mutation(
        f"{SUPPLY_CHAIN}.locked",
        lambda name: _locked(name) - {"fastapi"},
        f"{SUPPLY_TEST}everything_installed_is_in_a_lock",
    ),
    "r60 digests": Mutation(
        f"{SUPPLY_CHAIN}.DOCKERFILE",
        re.sub("@sha256:[0-9a-f]+", "", supply_chain.DOCKERFILE),
        f"{SUPPLY_TEST}images_are_pinned_by_version_and_all_but_one_by_digest",
    ),
    "r60 no installer": Mutation(
        f"{SUPPLY_CHAIN}.DOCKERFILE",
        supply_chain.DOCKERFILE.replace("--without-pip", ""),
        f"{SUPPLY_TEST}the_image_has_no_installer_and_takes_no_secret",
    ),
    "r63 files that may not be opened": Mutation(
        "waybill.api.links.service._may_have",
        always(True),
        "integration/test_api_shared_files.py"
        "::test_r63_no_file_is_listed_that_its_reader_may_not_open",
    ),
}
