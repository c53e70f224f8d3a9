"""Login by OpenID Connect: an authorization code with PKCE, and everything that may be wrong."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from itsdangerous import TimestampSigner, URLSafeTimedSerializer

from tests.support.eventually import wait_for
from tests.support.servers.oidc_provider import (
    CLIENT,
    CLIENT_SECRET,
    Provider,
    running_provider,
)
from tests.support.servers.ports import free_ports
from tests.support.servers.task_api import TASKS, TaskApi, running_api
from waybill.api.session.oidc.failures import LoginFailed
from waybill.api.session.oidc.provider import Provider as OurProvider
from waybill.infra.config.errors import BadSettings
from waybill.infra.config.settings import load
from waybill.infra.tasks.queries.scope import ALL_TENANTS

GOOD = {"org": "acme", "groups": ["finance-team"], "email": "ann@acme.example"}
NAMES = {"jwt_tenant_claim": "org", "jwt_roles_claim": "groups", "role_map": "finance-team=sales"}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as running:
        yield running


@contextmanager
def api_at(provider: Provider, home: Path, **settings: Any) -> Iterator[TaskApi]:
    [port] = free_ports(1)
    more = {
        "public_url": f"http://127.0.0.1:{port}",
        "oidc_issuer": provider.url,
        "oidc_client_id": CLIENT,
        "oidc_client_secret": CLIENT_SECRET,
        **NAMES,
        **settings,
    }
    with running_api(f"sqlite:///{home}/tasks.db", home, port=port, **more) as api:
        yield api


@pytest.fixture(scope="module")
def oidc_api(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TaskApi]:
    with api_at(provider, tmp_path_factory.mktemp("oidc")) as api:
        yield api


@pytest.fixture
def api(oidc_api: TaskApi, provider: Provider) -> TaskApi:
    provider.set(fault="", claims=GOOD, userinfo={})
    return oidc_api


def begin(browser: httpx2.Client, after: str = "") -> httpx2.URL:
    """Where the provider's page is."""
    answer = browser.get("/session/oidc", params={"next": after} if after else {})
    assert answer.status_code == 303
    return httpx2.URL(answer.headers["location"])


def answer_of(provider_page: httpx2.URL, **form: str) -> str:
    """Log in at the provider as ann; the address that it sends the browser to."""
    fields = {name: values[0] for name, values in parse_qs(provider_page.query.decode()).items()}
    answer = httpx2.post(
        str(provider_page.copy_with(query=None)), data={**fields, "user": "ann"} | form
    )
    return str(answer.headers["location"])


def log_in(browser: httpx2.Client, after: str = "", **form: str) -> httpx2.Response:
    return browser.get(answer_of(begin(browser, after), **form))


def is_logged_in(browser: httpx2.Client) -> bool:
    return browser.get(TASKS).status_code == 200


def _log_ins(api: TaskApi) -> list[Any]:
    """Those on record, which are added after the answer."""
    return list(
        api.services.admin_queries.audit(ALL_TENANTS, tenant="acme", action="session_begin")
    )


def test_a_login_makes_a_session_of_the_person_that_the_claims_describe(api: TaskApi) -> None:
    browser = api.client()

    answer = log_in(browser)

    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert [item["name"] for item in browser.get("/api/datasets").json()["items"]] == ["orders"]
    entry = wait_for(lambda: _log_ins(api))[0]
    assert (entry.actor, entry.detail["roles"]) == ("ann", ["sales"])
    # The cookie of the login is gone, and the session is out of reach for scripts and other sites.
    assert not [name for name in browser.cookies if name.startswith("waybill_login")]
    [session] = [
        line for line in answer.headers.get_list("set-cookie") if "waybill_session=" in line
    ]
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= {part.strip() for part in session.split(";")}


def test_r57_the_request_has_pkce_state_and_nonce_and_no_two_are_alike(api: TaskApi) -> None:
    first, second = (dict(begin(api.client()).params) for _ in range(2))

    assert first["code_challenge_method"] == "S256"
    assert first["redirect_uri"] == api.url + "/session/oidc/callback"
    assert (first["response_type"], first["scope"]) == ("code", "openid profile email")
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) == 43
        assert first[name] != second[name]


@pytest.mark.parametrize(
    ("after", "continued"),
    [
        ("/?type=invoices&city=Rome", "/?type=invoices&city=Rome"),
        ("/d/" + "a" * 43, "/d/" + "a" * 43),
        ("/admin/exports?status=FAILED", "/admin/exports?status=FAILED"),
        ("https://evil.example/", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/%09/evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("/?a\r\nSet-Cookie: b=c", "/"),
        ("javascript:alert(1)", "/"),
        ("/session/end", "/"),
        ("/?" + "a" * 3000, "/"),
    ],
)
def test_r57_a_login_continues_on_this_host_only(api: TaskApi, after: str, continued: str) -> None:
    assert log_in(api.client(), after).headers["location"] == continued


@pytest.mark.parametrize(
    "fault",
    [
        *("nonce", "no nonce", "issuer", "audience", "audience for us", "no azp", "azp", "expired"),
        *("at_hash", "alg none", "alg HS256", "key", "key id", "token", "no json", "mix-up"),
    ],
)
def test_r57_an_answer_with_this_fault_logs_nobody_in(
    api: TaskApi, provider: Provider, fault: str
) -> None:
    provider.set(fault=fault)
    browser = api.client()

    answer = log_in(browser, "/?type=orders")

    assert answer.status_code == 401
    assert "company login" in answer.text
    assert "secret detail" not in answer.text
    # One button tries again, and leads to the same place.
    assert "/session/oidc?next=%2F%3Ftype%3Dorders" in answer.text
    assert not is_logged_in(browser)


def test_the_first_login_after_the_provider_changed_its_key_is_good(
    api: TaskApi, provider: Provider
) -> None:
    assert log_in(api.client()).status_code == 303
    provider.set(kid="2")
    # Twice within the time in which nobody's made-up key id would be asked for.
    for kid in ("1", "2", "1"):
        provider.set(kid=kid)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: log_in(api.client()), range(4)))
        assert [answer.status_code for answer in answers] == [303] * 4


@pytest.mark.parametrize(
    ("ahead", "status"), [(-320, 303), (-340, 401), (20, 303), (60, 401)], ids=str
)
def test_r57_clocks_may_differ_by_half_a_minute(
    api: TaskApi, provider: Provider, ahead: int, status: int
) -> None:
    """The ID token lives for five minutes by the provider's clock."""
    begun = int(time.time()) + ahead
    provider.set(claims={**GOOD, "iat": begun, "exp": begun + 300})
    browser = api.client()
    assert log_in(browser).status_code == status
    assert is_logged_in(browser) == (status == 303)


def test_r57_a_login_that_began_long_ago_is_begun_again(api: TaskApi) -> None:
    browser = api.client()
    address = answer_of(begin(browser))
    [(name, cookie)] = browser.cookies.items()
    key = api.services.settings.derived_key("oidc login").hex()

    class LongAgo(TimestampSigner):
        def get_timestamp(self) -> int:
            return int(time.time()) - 16 * 60

    held = URLSafeTimedSerializer(key).loads(cookie)
    browser.cookies.set(name, URLSafeTimedSerializer(key, signer=LongAgo).dumps(held))
    refused = browser.get(address)
    assert (refused.status_code, is_logged_in(browser)) == (401, False)
    # The same cookie of now is good, so its age is what was refused.
    again = api.client(cookies={name: URLSafeTimedSerializer(key).dumps(held)})
    assert again.get(address).status_code == 303


def test_r57_an_answer_counts_in_the_browser_that_began_and_once(api: TaskApi) -> None:
    mine, others = api.client(), api.client()
    address = answer_of(begin(mine))

    # Login CSRF: the attacker's answer in somebody else's browser.
    refused = others.get(address)
    assert (refused.status_code, "began in another browser" in refused.text) == (401, True)
    assert not is_logged_in(others)
    assert mine.get(address).status_code == 303
    mine.cookies.clear()
    assert mine.get(address).status_code == 401


def test_r57_the_state_of_one_tab_does_not_answer_for_another(api: TaskApi) -> None:
    browser = api.client()
    first, second = begin(browser), begin(browser)
    mixed = answer_of(first).replace(dict(first.params)["state"], dict(second.params)["state"])

    assert browser.get(mixed).status_code == 401
    assert not is_logged_in(browser)


def test_several_tabs_may_log_in_and_many_leave_no_cookies(api: TaskApi) -> None:
    browser = api.client()
    first = begin(browser)
    assert log_in(browser).status_code == 303
    assert browser.get(answer_of(first)).status_code == 303
    for _ in range(9):
        begin(browser)
    assert len([name for name in browser.cookies if name.startswith("waybill_login")]) == 4


@pytest.mark.parametrize("query", ["", "?code=x", "?state=", "?state=x&code=y", "?error=x"])
def test_an_answer_out_of_nowhere_is_one_page(api: TaskApi, query: str) -> None:
    answer = api.client().get("/session/oidc/callback" + query)
    assert (answer.status_code, "Log in again" in answer.text) == (401, True)


def test_somebody_who_cancels_reads_so(api: TaskApi) -> None:
    answer = log_in(api.client(), cancel="1")
    assert (answer.status_code, "The login was cancelled." in answer.text) == (401, True)


def test_somebody_without_a_tenant_reads_what_to_do_and_the_log_names_the_claim(
    api: TaskApi, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.set(claims={"groups": ["finance-team"]}, userinfo={"sub": "ann"})

    answer = log_in(api.client())

    assert (answer.status_code, "Ask your administrator" in answer.text) == (401, True)
    whys = [getattr(record, "why", "") for record in caplog.records]
    assert "claim org is missing" in whys


def test_claims_that_the_id_token_lacks_come_from_the_userinfo_endpoint(
    api: TaskApi, provider: Provider
) -> None:
    provider.set(claims={}, userinfo={"sub": "ann", **GOOD})
    assert log_in(browser := api.client()).status_code == 303
    assert is_logged_in(browser)

    provider.set(userinfo={"sub": "bob", **GOOD})
    assert log_in(api.client()).status_code == 401


def test_r57_a_role_that_the_map_does_not_name_is_none(api: TaskApi, provider: Provider) -> None:
    provider.set(claims={**GOOD, "groups": ["waybill-operator", "sales"]})
    browser = api.client()
    log_in(browser)
    assert browser.get("/api/datasets").json()["items"] == []


def test_logging_out_ends_the_session_and_leads_to_the_providers_page(api: TaskApi) -> None:
    browser = api.client()
    log_in(browser)
    token = browser.cookies["waybill_session"]

    page = browser.post("/session/end", headers={"Origin": api.url})

    assert page.status_code == 200
    [address] = re.findall(r'href="([^"]*post_logout_redirect_uri[^"]*)"', page.text)
    query = parse_qs(urlsplit(address.replace("&amp;", "&")).query)
    assert query["post_logout_redirect_uri"] == [api.url + "/"]
    assert query["client_id"] == [CLIENT]
    assert query["id_token_hint"][0].count(".") == 2
    assert not is_logged_in(browser)
    assert api.client(cookies={"waybill_session": token}).get(TASKS).status_code == 401


def test_a_session_is_no_token_for_a_program(api: TaskApi) -> None:
    browser = api.client()
    log_in(browser)
    assert api.client(browser.cookies["waybill_session"]).get(TASKS).status_code == 401


def test_discovery_and_keys_are_fetched_once_for_many_logins(
    api: TaskApi, provider: Provider
) -> None:
    log_in(api.client())
    before = provider.asked()
    for _ in range(3):
        log_in(api.client())
    assert set(provider.asked()[len(before) :]) == {"/authorize", "/token"}


def test_the_login_page_shows_what_is_set_up_and_a_link_to_a_page_survives(api: TaskApi) -> None:
    page = api.client().get("/?type=orders&city=Rome").text

    assert "Log in with your company account" in page
    assert "/session/oidc?next=%2F%3Ftype%3Dorders%26city%3DRome" in page
    assert "waybill token" not in page
    assert "next=%2Fadmin%2Fexports" in api.client().get("/admin/exports").text


@pytest.mark.parametrize("fault", ["other issuer"])
def test_r57_a_provider_that_is_not_ready_is_one_page(
    provider: Provider, tmp_path: Path, fault: str
) -> None:
    provider.set(fault=fault)
    with api_at(provider, tmp_path) as api:
        answer = api.client().get("/session/oidc")
    assert (answer.status_code, "does not answer at the moment" in answer.text) == (401, True)
    with pytest.raises(LoginFailed, match="names another issuer"):
        our_provider(provider, tmp_path).check()


def our_provider(provider: Provider, home: Path, **more: Any) -> OurProvider:
    settings = load(home=home, public_url="http://127.0.0.1:1", oidc_client_id=CLIENT, **more)
    return OurProvider(settings, provider.url)


def test_settings_that_belong_together_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="WAYBILL_OIDC_CLIENT_ID"):
        OurProvider(load(home=tmp_path), "https://id.example")
    with pytest.raises(BadSettings, match="WAYBILL_PUBLIC_URL"):
        OurProvider(load(home=tmp_path, oidc_client_id=CLIENT), "https://id.example")


@pytest.mark.parametrize(
    "issuer", ["http://id.example", "id.example", "https://u:p@id.example", "https://id.example?a"]
)
def test_r57_an_issuer_that_is_not_over_tls_is_refused(tmp_path: Path, issuer: str) -> None:
    with pytest.raises(BadSettings, match=r"^WAYBILL_OIDC_ISSUER: "):
        load(home=tmp_path, oidc_issuer=issuer)
