"""Ordered work on threads: order, bounds, errors, and an early end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from waybill.exporter.blocks.parallel import map_ordered


def test_results_come_in_the_order_of_the_items_whatever_takes_longest() -> None:
    later_is_done = threading.Event()

    def work(item: int) -> int:
        if item == 0:
            assert later_is_done.wait(10)
        if item == 1:
            later_is_done.set()
        return item * item

    assert list(map_ordered(work, range(50), threads=2)) == [n * n for n in range(50)]


def test_a_slow_consumer_holds_the_source_back() -> None:
    pulled = []

    def source() -> Iterator[int]:
        for item in range(100):
            pulled.append(item)
            yield item

    results = map_ordered(lambda item: item, source(), threads=3)
    for taken in range(1, 20):
        next(results)
        assert len(pulled) <= taken + 3
    results.close()


def test_items_are_pulled_on_the_callers_thread() -> None:
    def source() -> Iterator[int]:
        yield threading.get_ident()

    caller, worker = threading.get_ident(), None

    def work(item: int) -> int:
        nonlocal worker
        worker = threading.get_ident()
        return item

    assert list(map_ordered(work, source(), threads=1)) == [caller]
    assert worker not in (None, caller)


def test_an_error_of_the_work_comes_out_in_its_place_and_ends_everything() -> None:
    def work(item: int) -> int:
        return 10 // (3 - item)

    results = map_ordered(work, range(100), threads=2)
    assert [next(results), next(results), next(results)] == [3, 5, 10]
    with pytest.raises(ZeroDivisionError):
        next(results)
    with pytest.raises(StopIteration):
        next(results)


def test_an_error_of_the_source_comes_out_and_threads_end() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise OSError("the connection is gone")

    before = threading.active_count()
    with pytest.raises(OSError, match="gone"):
        list(map_ordered(lambda item: item, source(), threads=4))
    assert threading.active_count() == before


def test_closing_waits_for_what_runs_and_drops_what_has_not_begun() -> None:
    begun, may_end = [], threading.Event()

    def work(item: int) -> int:
        begun.append(item)
        if item > 0:
            assert may_end.wait(10)
        return item

    before = threading.active_count()
    results = map_ordered(work, range(100), threads=1)
    assert next(results) == 0
    may_end.set()
    results.close()
    assert threading.active_count() == before
    assert len(begun) <= 3


def test_nothing_in_nothing_out() -> None:
    assert list(map_ordered(lambda item: item, [], threads=2)) == []


def test_f104_a_large_item_is_alone_in_progress() -> None:
    running: set[int] = set()
    beside: dict[int, set[int]] = {}
    lock = threading.Lock()

    def work(item: int) -> int:
        with lock:
            running.add(item)
            for each in running:
                beside.setdefault(each, set()).update(running - {each})
        time.sleep(0)
        with lock:
            running.discard(item)
        return item

    done = list(map_ordered(work, range(60), threads=3, is_large=lambda item: item % 7 == 3))
    assert done == list(range(60))
    assert all(not beside[item] for item in range(3, 60, 7))
