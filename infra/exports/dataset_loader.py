"""Loads the datasets a team declared, from a module name or a Python file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

from waybill.exporter.datasets.dataset import DECLARED, Registry
from waybill.infra.config.admin_roles import AdminRoles
from waybill.infra.config.errors import BadSettings
from waybill.infra.tasks.audit_dataset import AUDIT, audit_dataset


def load_datasets(
    where: str, roles: AdminRoles, *, schema: Callable[[], str | None] = lambda: None
) -> Registry:
    """Import `where` (``package.module`` or ``path/to/file.py``) and return what it declares.

    The audit log of Waybill itself comes with it, for holders of the two `roles`; it is read in
    `schema`.

    Raises:
        BadSettings: it cannot be imported, declares nothing, or takes the name of the audit log.
            The cause is chained.
    """
    try:
        if where.endswith(".py"):
            _import_file(Path(where))
        else:
            # The module is often where the command runs, and a console script does not look
            # there. At the end: no file there takes the place of an installed library.
            if (here := str(Path.cwd())) not in sys.path:
                sys.path.append(here)
            importlib.import_module(where)
    except SystemExit as error:
        raise BadSettings(
            f"WAYBILL_DATASETS: {where} ends the process when it is imported."
        ) from error
    except Exception as error:
        raise BadSettings(
            f"WAYBILL_DATASETS: {where} cannot be imported: {type(error).__name__}: {error}"
        ) from error
    if not DECLARED.queues:
        raise BadSettings(f"WAYBILL_DATASETS: {where} declares no dataset.")
    declared = {item.name: item for item in DECLARED}
    if AUDIT in declared:
        raise BadSettings(f"WAYBILL_DATASETS: {where} declares {AUDIT}, which is taken.")
    return Registry({**declared, AUDIT: audit_dataset(roles, schema)})


def _import_file(path: Path) -> None:
    name = f"waybill_datasets_{path.stem}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise FileNotFoundError(f"no such file: {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
