"""Pages of a list: each task once, in order, wherever the page lies, and a total that is exact."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from tests.support.task_store import ANN, new_task
from waybill.exporter.datasets.principal import Principal
from waybill.infra.db.engine import write_transaction
from waybill.infra.db.tables import export_task
from waybill.infra.tasks.lifecycle.requests import TaskRequests
from waybill.infra.tasks.queries.owned import ListOrder, TaskFilter
from waybill.infra.tasks.states import TaskStatus

TASKS, SIZE = 45, 7


@pytest.fixture
def requests(engine) -> TaskRequests:
    """With 45 tasks of ANN's, of which always three were made in the same moment."""
    requests = TaskRequests(engine)
    requests.submit(ANN, new_task(params={"n": 0}))
    requests.submit(Principal("bob", ANN.tenant), new_task(params={"n": 0}))
    with write_transaction(engine) as connection:
        own = export_task.c.created_by == ANN.user
        row = connection.execute(sa.select(export_task).where(own)).mappings().one()
        copies = [
            {
                **row,
                "id": uuid4(),
                "dedupe_key": None,
                "status": "CANCELLED" if n % 2 else "PENDING",
                "filename": f"{n * 31 % TASKS}.csv",
                "created_at": row["created_at"] + timedelta(seconds=n // 3),
            }
            for n in range(1, TASKS)
        ]
        connection.execute(export_task.insert(), copies)
    return requests


@pytest.mark.parametrize("narrowed", [None, TaskFilter(statuses=[TaskStatus.CANCELLED])])
@pytest.mark.parametrize("order", ListOrder)
def test_the_pages_are_the_list_cut_into_pieces(requests, order, narrowed):
    whole = requests.page(ANN, narrowed, order=order, limit=100)
    pages = [
        requests.page(ANN, narrowed, order=order, offset=start, limit=SIZE)
        for start in range(0, whole.total, SIZE)
    ]

    assert whole.total == len(whole.tasks) == (TASKS if narrowed is None else TASKS // 2)
    assert [task.id for page in pages for task in page.tasks] == [task.id for task in whole.tasks]
    assert {page.total for page in pages} == {whole.total}


def test_a_page_behind_the_last_one_is_empty_and_has_the_total(requests):
    page = requests.page(ANN, offset=TASKS, limit=SIZE)
    assert (page.tasks, page.total) == ([], TASKS)
    assert requests.page(ANN, offset=10 * TASKS, limit=SIZE).tasks == []


def test_the_total_follows_each_change(requests):
    cancelled = TaskFilter(statuses=[TaskStatus.CANCELLED])
    [newest] = requests.page(ANN, TaskFilter(statuses=[TaskStatus.PENDING]), limit=1).tasks
    before = requests.page(ANN, cancelled).total

    requests.cancel(ANN, newest.id)
    assert requests.page(ANN, cancelled).total == before + 1
    requests.delete(ANN, newest.id)
    assert requests.page(ANN, cancelled).total == before
    assert requests.page(ANN).total == TASKS - 1
