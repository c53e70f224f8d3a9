"""Bad input at the command line and at start: one clear line, the right exit code, no stack."""

from __future__ import annotations

import sqlite3

import pytest

from tests.support.processes import api, environment, run
from tests.support.servers.ports import free_ports
from waybill.api.cli import main as main_module


@pytest.fixture
def env(tmp_path):
    database = tmp_path / "shop.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT)")
        connection.executemany("INSERT INTO orders VALUES (?, ?)", [(1, "a"), (2, None)])
    connection.close()
    return environment(tmp_path / "home", f"sqlite:///{database}")


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["export", "nope", "-o", "x.csv"], "There is no dataset 'nope'."),
        (["export", "orders", "--param", "town=x", "-o", "x.csv"], "Unknown parameter: town."),
        (["export", "orders", "--param", "status=x", "-o", "x.csv"], "status"),
        (["export", "orders", "--param", "novalue", "-o", "x.csv"], "key=value"),
        (["export", "--table", "nope", "-o", "x.csv"], "nope"),
        (["export", "--query", "SELECT nope FROM orders", "-o", "x.csv"], ""),
        (["export", "--query", "DELETE FROM orders", "-o", "x.csv"], ""),
        (["export", "orders", "-o", "x.docx"], "--format"),
        (["export", "orders", "--format", "docx", "-o", "x"], "docx"),
        (["export", "orders", "--role", "clerk", "-o", "x.csv"], "You may not export 'orders'."),
        (["export", "orders"], "-o FILE"),
        (["export", "--table", "orders", "-o", "x.csv", "--csv", "sep=;"], "delimiter"),
        (["export", "--table", "orders", "-o", "x.csv", "--csv", "delimiter=:"], "semicolon"),
        (["export", "--table", "orders", "-o", "x.csv", "--csv", "decimal=,"], "both ','"),
        (["export", "--table", "orders", "-o", "x.csv", "--csv-profile", "word"], "excel-semi"),
        (["export", "--table", "orders", "-o", "x.xlsx", "--csv", "bom=off"], "csv.gz"),
        (["export", "orders", "--table", "orders", "-o", "x.csv"], "one thing"),
        (["export", "--table", "orders", "-o", "s3://x.csv"], "s3://bucket/key"),
        (["worker", "--queue", "nope"], "nope"),
        (["serve", "--port", "99999"], "--port"),
        (["frobnicate"], "frobnicate"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(env, tmp_path, monkeypatch, args, says):
    monkeypatch.chdir(tmp_path)
    result = run(env, *args)
    assert result.returncode == 2, result.stderr
    assert says in result.stderr
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("waybill: ")
    assert not result.stdout
    assert not list(tmp_path.glob("x*"))


def test_a_file_that_cannot_be_written_is_one_line_and_exit_1(env, tmp_path):
    result = run(env, "export", "--table", "orders", "-o", str(tmp_path / "no/such/x.csv"))
    assert result.returncode == 1
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("waybill: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WAYBILL_S3_ENDPOINT_URL", "http://127.0.0.1:{port}"),
        ("WAYBILL_DATABASE_URL", "postgresql://u:canary-7c1f@127.0.0.1:{port}/db"),
    ],
)
def test_a_server_that_is_down_at_start_is_one_line(env, name, value):
    (port,) = free_ports(1)
    down = {
        name: value.format(port=port),
        "WAYBILL_S3_ACCESS_KEY_ID": "id",
        "WAYBILL_S3_SECRET_ACCESS_KEY": "canary-7c1f",
    }
    result = run(env | down, "serve", "--port", "0")
    assert result.returncode == 1, result.stderr
    assert "Traceback" not in result.stderr
    assert "canary" not in result.stderr
    complaints = [line for line in result.stderr.splitlines() if line.startswith("waybill: ")]
    assert len(complaints) == 1


def test_the_command_line_exports_a_table_it_was_never_told_about(env, tmp_path):
    target = tmp_path / "orders.csv"
    result = run(env, "export", "--table", "orders", "-o", str(target), "--json")
    assert result.returncode == 0, result.stderr
    assert '"rows": 2' in result.stdout
    assert target.read_bytes().splitlines()[1:] == [b'1,"a"', b"2,"]


def test_http_errors_are_problem_documents_without_a_stack(env, tmp_path):
    with api(env, tmp_path / "log") as client:
        for status, answer in (
            (
                422,
                client.post("/api/export-tasks", json={"type": "x", "format": "csv", "params": {}}),
            ),
            (
                422,
                client.post(
                    "/api/export-tasks", json={"type": "users", "format": "x", "params": {}}
                ),
            ),
            (
                422,
                client.post(
                    "/api/export-tasks",
                    json={"type": "users", "format": "csv", "params": {"active": "maybe"}},
                ),
            ),
            (401, client.get("/api/export-tasks", headers={"Authorization": "Bearer bad"})),
            (404, client.get("/api/nope")),
        ):
            assert answer.status_code == status, answer.text
            assert answer.headers["Content-Type"] == "application/problem+json"
            problem = answer.json()
            assert problem["code"]
            assert problem["status"] == status
            assert "Traceback" not in answer.text


def test_a_home_that_cannot_be_made_is_one_line_and_exit_2(env, tmp_path):
    (tmp_path / "file").touch()
    result = run(env | {"WAYBILL_HOME": str(tmp_path / "file" / "home")}, "serve", "--port", "0")
    assert result.returncode == 2
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("waybill: ")
    assert "Not a directory" in line


def test_a_fault_of_our_own_is_one_line_without_the_errors_text(monkeypatch, capsys):
    def fail() -> None:
        raise KeyError("canary-7c1f")

    monkeypatch.setattr(main_module, "app", lambda **_options: fail())
    monkeypatch.setattr("sys.argv", ["waybill", "datasets"])
    with pytest.raises(SystemExit) as ended:
        main_module.main()
    assert ended.value.code == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("waybill: Unexpected KeyError in test_bad_input.py:")
    assert "canary" not in line
