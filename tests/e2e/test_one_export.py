"""One real export, end to end: PostgreSQL, SeaweedFS, the command line, and readers not ours."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import httpx2
import openpyxl
import pytest
import python_calamine
import sqlalchemy as sa

from tests.support.eventually import wait_for
from tests.support.processes import api, ended, run
from waybill.infra.db.engine import create_engine
from waybill.infra.sample.tables import orders

ORDERS = 20_000


@pytest.fixture(scope="module")
def installation(shared_installation):
    return shared_installation


@pytest.fixture(scope="module")
def shop(installation):
    assert run(installation.env, "sample", "--orders", str(ORDERS)).returncode == 0
    engine = create_engine(installation.database)
    with engine.connect() as connection:
        rows = connection.execute(sa.select(orders).order_by(orders.c.id)).all()
    engine.dispose()
    assert len(rows) == ORDERS
    return rows


@pytest.fixture(scope="module")
def client(installation, shop):
    with api(installation.env, installation.log) as client:
        yield client


@pytest.fixture(scope="module")
def token(installation):
    """As an operator prints it."""
    who = ("--user", "ann", "--tenant", "acme", "--role", "sales")
    return run(installation.env, "token", *who).stdout.strip()


@pytest.fixture(scope="module")
def export(client, token):
    """A finished export of all orders, and the client that asked for it."""
    client.headers["Authorization"] = f"Bearer {token}"
    answer = client.post(
        "/api/export-tasks", json={"type": "orders", "format": "xlsx", "params": {}}
    )
    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"].endswith(answer.json()["id"])
    return client, ended(client, answer.json()["id"])


def link_of(client: httpx2.Client, task: dict) -> str:
    answer = client.get(f"/api/export-tasks/{task['id']}/download", follow_redirects=False)
    assert answer.status_code == 307
    return answer.headers["Location"]


def as_openpyxl_reads(value):
    """What a value of the database should be in a sheet of a UTC export."""
    match value:
        case bool() | str() | None:
            return value
        case datetime():
            return value.astimezone(UTC).replace(tzinfo=None)
        case date():
            return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - sheets have no zone
        case Decimal():
            return pytest.approx(float(value), abs=1e-9)
        case _:
            return value


def test_the_file_is_row_for_row_what_the_database_says(shop, export):
    client, task = export
    assert task["status"] == "SUCCESS", task["last_error"]
    body = httpx2.get(link_of(client, task)).content
    assert len(body) == task["size_bytes"]
    assert hashlib.sha256(body).hexdigest() == task["sha256"]
    assert task["rows"] == task["completeness"]["rows_source"] == ORDERS

    sheet = openpyxl.load_workbook(BytesIO(body), read_only=True)["Orders"]
    read = sheet.iter_rows(values_only=True)
    assert next(read)[:3] == ("ID", "Order number", "Customer")
    count = 0
    for expected, got in zip(shop, read, strict=True):
        wanted = [as_openpyxl_reads(value) for value in expected]
        wanted[1] = str(expected.order_no)
        # Its read-only mode leaves out empty cells at the end of a row.
        padded = [*got, *[None] * (len(wanted) - len(got))]
        assert padded == wanted, f"row {count}"
        count += 1
    assert count == ORDERS


def test_calamine_reads_the_same_rows(shop, export):
    client, task = export
    body = httpx2.get(link_of(client, task)).content
    read = python_calamine.load_workbook(BytesIO(body)).get_sheet_by_name("Orders").to_python()
    assert len(read) == ORDERS + 1
    for expected, got in zip(shop, read[1:], strict=True):
        assert got[0] == expected.id
        assert got[1] == str(expected.order_no)
        assert got[2:5] == [expected.customer, expected.city, expected.status]
        assert got[6] == pytest.approx(float(expected.amount))
        assert got[8] == (expected.note or "")


def test_the_link_downloads_under_its_own_name_with_the_api_stopped(installation, shop):
    with api(installation.env, installation.log) as client:
        body = {"type": "orders", "format": "xlsx", "params": {}, "filename": "订单 2026"}
        task = ended(client, client.post("/api/export-tasks", json=body).json()["id"])
        link = link_of(client, task)
        home = client.base_url
    with pytest.raises(httpx2.TransportError):
        httpx2.get(home)
    answer = httpx2.get(link)
    assert answer.status_code == 200
    assert len(answer.content) == task["size_bytes"]
    disposition = answer.headers["Content-Disposition"]
    assert "filename*=UTF-8''%E8%AE%A2%E5%8D%95%202026.xlsx" in disposition


def test_r20_a_link_that_was_changed_or_has_expired_is_refused(installation, shop):
    env = installation.env | {"WAYBILL_LINK_TTL": "2"}
    with api(env, installation.log) as client:
        body = {"type": "users", "format": "csv", "params": {}}
        task = ended(client, client.post("/api/export-tasks", json=body).json()["id"])
        link = link_of(client, task)
        # While it lives: the end of a process takes a second or two.
        assert httpx2.get(link).status_code == 200
    parts = urlsplit(link)
    query = dict(parse_qsl(parts.query))
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    flipped = ("0" if query["X-Amz-Signature"][0] != "0" else "1") + query["X-Amz-Signature"][1:]
    for change in (
        {"X-Amz-Signature": flipped},
        {"X-Amz-Expires": "600"},
        {"response-content-disposition": "inline"},
    ):
        forged = urlunsplit(parts._replace(query=urlencode(query | change)))
        assert httpx2.get(forged).status_code == 403, change
    assert httpx2.get(link.replace(parts.path, parts.path + "x")).status_code == 403
    assert httpx2.delete(link).status_code == 403
    wait_for(lambda: httpx2.get(link).status_code == 403, seconds=10)


def test_parameters_choose_the_rows(client, shop):
    body = {"type": "orders", "format": "xlsx", "params": {"city": "Kraków", "status": "paid"}}
    task = ended(client, client.post("/api/export-tasks", json=body).json()["id"])
    assert task["rows"] == sum(row.city == "Kraków" and row.status == "paid" for row in shop) > 0
