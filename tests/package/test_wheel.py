"""The built wheel in a virtual environment of its own, beside a project with an `api/` of its own.

Third-party packages come from this environment by a path entry, so nothing is downloaded; the
editable install of the repository is not on that path's `.pth` files, which are not read there.
"""

from __future__ import annotations

import os
import sqlite3
import subprocess
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support.distributions import canonical, closure, requirements_of

ROOT = Path(__file__).parents[2]

DATASETS = """
import sqlalchemy as sa
from api.prices import CURRENCY
from infra import TABLE
from waybill import Column, Principal, dataset


@dataset("prices", columns={"amount": Column(label=f"Amount ({CURRENCY})")})
def prices(params, user: Principal) -> sa.Select:
    whose = sa.literal(user.tenant).label("tenant")
    return sa.select(sa.literal(7).label("amount"), sa.literal(TABLE).label("table"), whose)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A host project whose packages have the names of our folders."""
    folder = tmp_path_factory.mktemp("shop")
    for name in ("api", "infra", "exporter", "storage"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("TABLE = 'theirs'\n")
    sqlite3.connect(folder / "shop.db").close()
    (folder / "api" / "prices.py").write_text("CURRENCY = 'EUR'\n")
    (folder / "api" / "exports.py").write_text(DATASETS)
    return folder


def run(python: Path, project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    keep = {"PATH", "HOME", "LANG", "TMPDIR"}
    environment = {name: value for name, value in os.environ.items() if name in keep}
    return subprocess.run(
        [python, *arguments],
        cwd=project,
        env=environment
        | {"WAYBILL_DATASETS": "api.exports", "WAYBILL_SOURCE_URL": "sqlite:///shop.db"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_export_of_a_hosts_dataset_leaves_both_sides_their_packages(
    python: Path, project: Path
) -> None:
    # Isolated, as a console script is: the working directory is not on the path by itself.
    code = (
        "import sys\n"
        "sys.argv = ['waybill', 'export', 'prices', '--tenant', 'acme', '-o', 'prices.csv']\n"
        "from waybill.__main__ import main; main()"
    )
    done = run(python, project, "-I", "-c", code)

    assert done.returncode == 0, done.stderr
    text = (project / "prices.csv").read_text("utf-8-sig")
    assert text.splitlines() == ['"Amount (EUR)","table","tenant"', '7,"theirs","acme"']


def test_the_host_sees_its_own_packages_and_our_public_names(python: Path, project: Path) -> None:
    code = (
        "import api, infra, exporter, storage, waybill\n"
        "from waybill import Column, Principal, dataset\n"
        "from waybill.client import Waybill\n"
        "assert api.TABLE == infra.TABLE == exporter.TABLE == storage.TABLE == 'theirs'\n"
        "assert waybill.__version__\n"
        "print(waybill.__file__)"
    )
    done = run(python, project, "-c", code)

    assert done.returncode == 0, done.stderr
    assert str(ROOT) not in done.stdout


def test_the_wheel_holds_one_package_and_its_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())

    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"waybill"}
    assert {
        "waybill/py.typed",
        "waybill/__init__.py",
        "waybill/api/pages/templates/base.html",
        "waybill/api/embed/waybill-export.js",
        "waybill/infra/db/migrations/versions/0001_task_life_cycle.py",
    } <= names


@pytest.mark.parametrize(
    ("extras", "code"),
    [
        ((), "from waybill.client import Waybill"),
        (("server",), "import waybill.api.app, waybill.infra.bootstrap, waybill.api.cli.export"),
    ],
    ids=["client", "server"],
)
def test_each_extra_brings_what_its_part_imports(
    wheel: Path, python: Path, project: Path, extras: tuple[str, ...], code: str
) -> None:
    installed = closure(requirements_of(wheel), extras)
    owners = packages_distributions()
    missing = {name for name in owners if not {canonical(o) for o in owners[name]} & installed}

    done = run(python, project, "-c", f"{_refusing(missing)}\n{code}")

    assert done.returncode == 0, done.stderr


def test_the_command_without_the_server_says_what_to_install(python: Path, project: Path) -> None:
    code = "from waybill.__main__ import main; main()"
    done = run(python, project, "-c", f"{_refusing({'typer'})}\n{code}")

    assert done.returncode == 1
    assert done.stderr == (
        "waybill: typer is not installed. The command needs the server:"
        ' pip install "waybill-exports[server]"\n'
    )


@pytest.mark.parametrize(
    ("url", "extra"),
    [
        ("postgresql://localhost/shop", "postgresql"),
        ("mysql+pymysql://localhost/shop", "mysql"),
        ("duckdb:///shop.duckdb", "duckdb"),
        ("clickhouse://localhost", "clickhouse"),
        ("flightsql://localhost", "flightsql"),
        ("mssql+pymssql://localhost/shop", None),
    ],
)
def test_a_source_without_its_driver_names_the_extra(
    python: Path, project: Path, url: str, extra: str | None
) -> None:
    arguments = ["waybill", "export", "--source", url, "--table", "t", "-o", "t.csv"]
    code = f"import sys; sys.argv = {arguments!r}\nfrom waybill.__main__ import main; main()"
    drivers = _refusing(
        {"adbc_driver_flightsql", "clickhouse_connect", "duckdb", "psycopg", "pymysql", "pymssql"}
    )
    done = run(python, project, "-c", f"{drivers}\n{code}")

    backend = url.partition("+")[0].partition(":")[0]
    remedy = f': pip install "waybill-exports[{extra}]".'
    known = (
        ". Waybill reads bigquery://, clickhouse://, duckdb://, flightsql://, mariadb://, mysql://,"
        " postgresql://, snowflake://, sqlite:// and what"
    )
    assert done.returncode == 2
    assert done.stderr.split() == (
        f"waybill: No driver for {backend} databases is installed"
        f"{remedy if extra else f'{known} SQLAlchemy has a driver for.'}".split()
    )


def test_a_task_database_without_its_driver_names_the_extra(python: Path, project: Path) -> None:
    code = (
        "import os; os.environ['WAYBILL_DATABASE_URL'] = 'postgresql://localhost/tasks'\n"
        "import sys; sys.argv = ['waybill', 'migrate']\n"
        "from waybill.__main__ import main; main()"
    )
    done = run(python, project, "-c", f"{_refusing({'psycopg'})}\n{code}")

    assert done.returncode == 2
    assert "waybill-exports[postgresql]" in done.stderr
    assert "Traceback" not in done.stderr


def _refusing(modules: set[str]) -> str:
    """Code after which `modules` are as good as not installed."""
    return (
        "import sys\n"
        f"missing = {sorted(modules)!r}\n"
        "class Refusing:\n"
        "    @staticmethod\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name.partition('.')[0] in missing:\n"
        "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
        "sys.meta_path.insert(0, Refusing)"
    )
