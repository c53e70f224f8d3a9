"""A long export waits while others begin, and gets on nevertheless."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.support.eventually import PATIENCE_SECONDS, wait_for
from waybill.infra.worker.short_exports import LongExport, LongExportSink, ShortExports


def test_without_another_export_nobody_waits():
    assert ShortExports().wait() == 0.0


def test_a_long_export_waits_until_those_that_run_have_ended():
    short = ShortExports(PATIENCE_SECONDS)
    with ThreadPoolExecutor(1) as thread:
        with short.running():
            long = thread.submit(LongExport(short).let_pass)
            wait_for(long.running)
            assert not long.done()
        long.result(PATIENCE_SECONDS)


def test_a_long_export_does_not_wait_for_itself():
    short = ShortExports(PATIENCE_SECONDS)
    with short.running():
        assert short.wait() < PATIENCE_SECONDS


def test_an_export_that_has_run_for_long_is_not_waited_for():
    short = ShortExports(0)
    with short.running():
        assert short.wait() < PATIENCE_SECONDS


def test_a_long_export_runs_for_as_long_as_it_waited():
    calls: list[float] = []
    now = 100.0

    class Busy:
        """Others run all the time, and each wait takes five seconds."""

        def wait(self) -> float:
            nonlocal now
            now += 5
            calls.append(now)
            return 5

    long = LongExport(Busy(), clock=lambda: now)
    long.let_pass()
    long.let_pass()
    now += 4
    long.let_pass()
    assert calls == [105]
    now += 1
    long.let_pass()
    assert calls == [105, 115]


def test_a_long_export_writes_nothing_until_the_others_have_ended():
    written: list[object] = []

    class File:
        def write(self, data: bytes) -> None:
            written.append(data)

        def expect(self, size_bytes: int, crc32: int) -> None:
            written.append((size_bytes, crc32))

    short = ShortExports(PATIENCE_SECONDS)
    sink = LongExportSink(File(), short)
    with ThreadPoolExecutor(1) as thread:
        with short.running():
            long = thread.submit(sink.write, b"rows")
            wait_for(long.running)
            assert written == []
        long.result(PATIENCE_SECONDS)
    sink.expect(4, 1)
    assert written == [b"rows", (4, 1)]
