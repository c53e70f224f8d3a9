"""Mails handed to a real SMTP server: what they say, how they are protected, what is retried."""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope

from tests.support.servers.certificates import Certificate, self_signed
from tests.support.servers.ports import free_ports
from waybill.infra.config.notifications import MailServer
from waybill.infra.config.value_types import mail_domain
from waybill.infra.notifications.mail import MailSender
from waybill.infra.notifications.queue import DeliveryResult, DueNotification

TO, SENDER = "ann@acme.example", "exports@waybill.example"
TASK = UUID("0b7f4a52-9a3e-4c1d-8a44-1f5f0f6f7a10")


class Sink:
    """Keeps every mail it accepts; refuses what its script says, by command."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []
        self.refusals: dict[str, str] = {}

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, to: str, options: Any):
        if answer := self.refusals.get("RCPT"):
            return answer
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        if answer := self.refusals.get("DATA"):
            return answer
        self.envelopes.append(envelope)
        return "250 OK"

    async def handle_QUIT(self, server: Any, session: Any, envelope: Any) -> str:
        return self.refusals.get("QUIT", "221 Bye")

    def mail(self) -> EmailMessage:
        (envelope,) = self.envelopes
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return message


@asynccontextmanager
async def smtp(sink: Sink, *, tls: ssl.SSLContext | None = None, **options: Any):
    """An SMTP server on a free port; its port."""
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(sink, hostname="sink", **options), "127.0.0.1", 0, ssl=tls
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return self_signed(tmp_path_factory.mktemp("smtp"), "127.0.0.1")


def due(
    status: str = "SUCCESS", merged: tuple[DueNotification, ...] = (), **detail: Any
) -> DueNotification:
    common = {
        "type": "orders",
        "filename": "orders.xlsx",
        "code": None,
        "message": None,
        "to_owner": True,
    }
    return DueNotification(
        id=TASK,
        task_id=TASK,
        tenant_id="acme",
        user_id="ann",
        merged=merged,
        channel="email",
        event="export.succeeded",
        target=TO,
        detail={"status": status, **common, **detail},
        created_at=datetime(2026, 3, 1, 9, tzinfo=UTC),
        attempt=1,
    )


@pytest.fixture
def hand_in(threads: ThreadPoolExecutor):
    async def once(url: str, item: DueNotification | None = None, **options: Any) -> DeliveryResult:
        return await MailSender(MailServer.parse(url), SENDER, threads, **options).send(
            item or due()
        )

    return once


async def test_a_mail_says_what_ended_and_where_to_look(sink, hand_in):
    async with smtp(sink) as port:
        outcome = await hand_in(f"smtp://127.0.0.1:{port}", public_url="https://exports.example")
    assert outcome == DeliveryResult(delivered=True)
    (envelope,) = sink.envelopes
    assert (envelope.mail_from, envelope.rcpt_tos) == (SENDER, [TO])
    mail = sink.mail()
    assert (mail["To"], mail["From"]) == (TO, SENDER)
    assert mail["Subject"] == "Export ready: orders.xlsx"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"] == f"<{TASK.hex}@waybill.example>"
    assert mail.get_content_type() == "text/plain"
    text = mail.get_content()
    assert "Your export is ready." in text
    assert f"https://exports.example/?task={TASK}" in text


async def test_a_failed_export_comes_with_its_cause_in_words(sink, hand_in):
    item = due("FAILED", code="source_unavailable", message="The database cannot be reached.")
    async with smtp(sink) as port:
        await hand_in(f"smtp://127.0.0.1:{port}", item)
    assert sink.mail()["Subject"] == "Export failed: orders.xlsx"
    text = sink.mail().get_content()
    assert "The database cannot be reached. (source_unavailable)" in text
    assert str(TASK) in text
    assert "http" not in text


@pytest.mark.parametrize(
    "name",
    [
        "a\r\nBcc: everybody@evil.example\r\n\r\nhello.xlsx",
        "a\nBcc: everybody@evil.example",
        "a\u2028Bcc: everybody@evil.example",
        "a\x85Bcc: x\x00\x1b[31m\u202egpj.exe",
        "导出 报表 😀.xlsx",
        "x" * 300,
        "=?utf-8?q?evil?=.xlsx",
    ],
)
async def test_no_file_name_makes_a_header_or_hides_in_one(sink, hand_in, name):
    item = due("FAILED", filename=name, code="x", message="a\r\n.\r\nQUIT\r\nBcc: b")
    async with smtp(sink) as port:
        assert (await hand_in(f"smtp://127.0.0.1:{port}", item)).delivered
    mail = sink.mail()
    assert set(mail.keys()) == {
        *("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"),
        *("Content-Type", "Content-Transfer-Encoding", "MIME-Version"),
    }
    assert sink.envelopes[0].rcpt_tos == [TO]
    assert mail["Subject"].startswith("Export failed: ")
    assert len(mail["Subject"]) < 150
    assert not set("\r\n\x00\x1b\u2028\u202e\x85") & set(mail["Subject"])


BOMB = "Your mailbox is full - sign in at evil.example"
OPT_OUT = f"https://exports.example/opt-out/{'x' * 370}"


@pytest.mark.parametrize("to_owner", [False, None])
async def test_r40_a_mail_to_somebody_else_holds_no_word_of_its_owner(sink, hand_in, to_owner):
    item = due("FAILED", filename=f"{BOMB}.csv", code="broken", message=BOMB, to_owner=to_owner)
    async with smtp(sink) as port:
        await hand_in(
            f"smtp://127.0.0.1:{port}",
            replace(item, merged=(replace(item, id=uuid4()),)),
            public_url="https://exports.example",
        )
        await hand_in(f"smtp://127.0.0.1:{port}", item, public_url="https://exports.example")
    assert len(sink.envelopes) == 2
    for envelope in sink.envelopes:
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert "evil" not in mail["Subject"] + mail.get_content()
        assert "Export failed: orders" in mail["Subject"] + mail.get_content()
    assert "Owner:  ann" in mail.get_content()


@pytest.mark.parametrize(("scheme", "headers"), [("https", True), ("http", False)])
async def test_r40_a_mail_to_somebody_else_says_how_to_get_no_more(sink, hand_in, scheme, headers):
    link = OPT_OUT.replace("https", scheme)
    async with smtp(sink) as port:
        url = f"smtp://127.0.0.1:{port}"
        await hand_in(url, due(to_owner=False), opt_out_url=lambda address: f"{link}#{address}")
        await hand_in(url, due(), opt_out_url=lambda address: f"{link}#{address}")
    first, own = (
        email.message_from_bytes(envelope.content, policy=email.policy.default)
        for envelope in sink.envelopes
    )
    assert f"{link}#{TO}" in first.get_content()
    assert "opt-out" not in own.as_string()
    if headers:
        assert first["List-Unsubscribe"] == f"<{link}#{TO}>"
        assert first["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        # On one line, as it was written: mail programs do not decode it.
        assert f"List-Unsubscribe: <{link}#{TO}>\r\n".encode() in sink.envelopes[0].content
    else:
        assert "List-Unsubscribe" not in first


async def test_r40_a_domain_that_was_taken_away_gets_no_more_mails(sink, hand_in):
    async with smtp(sink) as port:
        url = f"smtp://127.0.0.1:{port}"
        refused = await hand_in(url, due(to_owner=False), domains={"other.example"})
        for item in (due(), due(to_owner=None)):
            assert (await hand_in(url, item, domains={"other.example"})).delivered
        assert (await hand_in(url, due(to_owner=False), domains={"acme.example"})).delivered
    assert refused == DeliveryResult(delivered=False, error="address_refused", final=True)
    assert len(sink.envelopes) == 3


async def test_r40_one_mail_for_many_names_some_and_counts_the_others(sink, hand_in):
    others = tuple(replace(due(filename=f"{n}.csv"), id=uuid4()) for n in range(30))
    async with smtp(sink) as port:
        url = f"smtp://127.0.0.1:{port}"
        for merged in (others, others[::-1]):
            await hand_in(url, due(merged=merged), public_url="https://exports.example")
    first, again = (
        email.message_from_bytes(envelope.content, policy=email.policy.default)
        for envelope in sink.envelopes
    )
    assert first["Subject"] == "31 exports have ended"
    assert "- Export ready: 18.csv" in first.get_content()
    assert "- and 11 more" in first.get_content()
    assert "https://exports.example/" in first.get_content()
    assert first["Message-ID"] == again["Message-ID"] != f"<{TASK.hex}@waybill.example>"


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
@pytest.mark.parametrize(("code", "final"), [(450, False), (451, False), (550, True), (554, True)])
async def test_a_refusal_with_4xx_is_tried_again_and_one_with_5xx_is_not(
    sink, hand_in, command, code, final
):
    sink.refusals[command] = f"{code} No"
    async with smtp(sink) as port:
        outcome = await hand_in(f"smtp://127.0.0.1:{port}")
    assert outcome == DeliveryResult(
        delivered=False, status=code, error="smtp_refused", final=final
    )


async def test_a_bad_goodbye_does_not_make_an_accepted_mail_a_failure(sink, hand_in):
    sink.refusals["QUIT"] = "421 Too busy to say goodbye"
    async with smtp(sink) as port:
        assert (await hand_in(f"smtp://127.0.0.1:{port}")).delivered
    assert len(sink.envelopes) == 1


async def test_a_server_that_is_away_is_tried_again(hand_in):
    (port,) = free_ports(1)
    outcome = await hand_in(f"smtp://127.0.0.1:{port}")
    assert outcome == DeliveryResult(delivered=False, error="connection_failed")


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
@pytest.mark.parametrize("scheme", ["smtps", "starttls"])
async def test_a_mail_and_its_password_travel_under_tls(sink, hand_in, certificate, scheme):
    logins: list[tuple[bytes, bytes]] = []

    def authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any):
        logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"p@ss", handled=False)

    options: dict[str, Any] = {"authenticator": authenticate, "auth_required": True}
    if scheme == "smtps":
        options |= {"tls": certificate.server(), "auth_require_tls": False}
    else:
        options |= {"tls_context": certificate.server(), "require_starttls": True}
    tls = certificate.client()
    async with smtp(sink, **options) as port:
        good = await hand_in(f"{scheme}://ann:p%40ss@127.0.0.1:{port}", tls=tls)
        bad = await hand_in(f"{scheme}://ann:wrong@127.0.0.1:{port}", tls=tls)
    assert good.delivered
    assert set(logins) == {(b"ann", b"p@ss"), (b"ann", b"wrong")}
    # A wrong password is the operator's to mend, and no reason to give mails up.
    assert bad == DeliveryResult(delivered=False, status=535, error="smtp_login")


async def test_without_starttls_on_the_other_side_nothing_is_sent(sink, hand_in):
    async with smtp(sink) as port:
        outcome = await hand_in(f"starttls://127.0.0.1:{port}")
    assert outcome == DeliveryResult(delivered=False, error="smtp_failed")
    assert sink.envelopes == []


@pytest.mark.parametrize("scheme", ["smtps", "starttls"])
async def test_a_certificate_nobody_vouches_for_is_refused(sink, hand_in, certificate, scheme):
    options: dict[str, Any] = (
        {"tls": certificate.server()}
        if scheme == "smtps"
        else {"tls_context": certificate.server()}
    )
    async with smtp(sink, **options) as port:
        outcome = await hand_in(f"{scheme}://127.0.0.1:{port}")
    assert outcome == DeliveryResult(delivered=False, error="tls_failed")
    assert sink.envelopes == []


@pytest.mark.parametrize(
    "url",
    [
        "mail.example",
        "http://mail.example",
        "smtp://",
        "smtp://user:canary@mail.example",
        "smtps://mail.example/path",
        "smtps://mail.example:port",
    ],
)
def test_a_bad_mail_server_is_refused_without_being_shown(url):
    with pytest.raises(ValueError, match=r"must|would|Port") as caught:
        MailServer.parse(url)
    assert "canary" not in str(caught.value)


def test_a_password_does_not_show_in_a_repr():
    server = MailServer.parse("starttls://ann:canary@mail.example")
    assert (server.port, server.user, server.password) == (587, "ann", "canary")
    assert "canary" not in repr(server)


@pytest.mark.parametrize(
    "address",
    [
        "ann",
        "@acme.example",
        "ann@",
        "ann@@acme.example",
        "ann@acme.example,bob@acme.example",
        "ann@acme.example\r\nBcc: x@y",
        "ann@acme.example\n",
        "Ann <ann@acme.example>",
        '"a b"@acme.example',
        "ann @acme.example",
        "ann@acme..example",
        "ann@-acme.example",
        "ann@[127.0.0.1]",
        ".ann@acme.example",
        "änn@acme.example",
        "ann@äcme.example",
        "x" * 65 + "@acme.example",
        "ann@" + "x." * 130 + "example",
        "",
    ],
)
def test_only_a_plain_address_is_one(address):
    assert mail_domain(address) is None


@pytest.mark.parametrize(
    ("address", "domain"),
    [
        ("ann@ACME.example", "acme.example"),
        ("o'brien+x.y@a-b.example", "a-b.example"),
        ("ann@corp.local", "corp.local"),
        ("root@localhost", "localhost"),
    ],
)
def test_a_plain_address_has_a_domain(address, domain):
    assert mail_domain(address) == domain
