"""Standard output and other open descriptors as the target of a file, by every name they have."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from waybill.storage.errors import FileNotWritten
from waybill.storage.local import local_upload


def write(path: str, *pieces: bytes) -> None:
    with local_upload(path) as upload:
        for piece in pieces:
            upload.write(piece)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe whose writing end looks inherited, as that of a shell's ``>(…)``."""
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    yield reader, writer
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    "name", ["/dev/fd/{n}", "/proc/self/fd/{n}", "/proc/{pid}/fd/{n}", "/proc/thread-self/fd/{n}"]
)
def test_a_pipe_is_written_by_each_of_its_names(pipe: tuple[int, int], name: str) -> None:
    reader, writer = pipe
    write(name.format(n=writer, pid=os.getpid()), b"one,", b"two")
    assert os.read(reader, 100) == b"one,two"


def test_a_link_to_a_descriptor_is_that_descriptor(pipe: tuple[int, int], tmp_path: Path) -> None:
    reader, writer = pipe
    (tmp_path / "first").symlink_to(f"/dev/fd/{writer}")
    (tmp_path / "second").symlink_to("first")
    write(str(tmp_path / "second"), b"data")
    assert os.read(reader, 100) == b"data"


def test_a_socket_is_written() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.set_inheritable(True)
        write(f"/dev/fd/{ours.fileno()}", b"data")
        assert theirs.recv(100) == b"data"


def test_a_pipe_that_does_not_wait_is_waited_for(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.set_blocking(writer, False)
    size = 1_000_000
    with ThreadPoolExecutor(1) as thread, os.fdopen(os.dup(reader), "rb") as reading:
        read = thread.submit(reading.read, size)
        write(f"/dev/fd/{writer}", b"x" * size)
        assert read.result() == b"x" * size


@pytest.mark.parametrize("flags", [os.O_APPEND, 0])
def test_a_file_behind_a_descriptor_goes_on_where_it_stands(tmp_path: Path, flags: int) -> None:
    path = tmp_path / "all.csv"
    path.write_bytes(b"before\n" if flags else b"")
    descriptor = os.open(path, os.O_WRONLY | flags)
    os.set_inheritable(descriptor, True)
    for line in (b"first\n", b"second\n"):
        write(f"/dev/fd/{descriptor}", line)
    os.close(descriptor)
    assert path.read_bytes() == (b"before\n" if flags else b"") + b"first\nsecond\n"
    assert [item.name for item in tmp_path.iterdir()] == ["all.csv"]


def test_a_file_behind_another_process_is_appended_to(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("wb") as log:
        other = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=log)
    path.write_bytes(b"before\n")
    write(f"/proc/{other.pid}/fd/1", b"data\n")
    other.communicate()
    assert path.read_bytes() == b"before\ndata\n"


def test_a_descriptor_of_our_own_is_no_target(tmp_path: Path) -> None:
    with (tmp_path / "our.db").open("wb") as own:
        path = f"/dev/fd/{own.fileno()}"
        with pytest.raises(FileNotWritten, match=f"{path}: Bad file descriptor"):
            write(path, b"data")
    assert (tmp_path / "our.db").read_bytes() == b""


def test_a_descriptor_that_is_closed_is_one_line() -> None:
    with pytest.raises(FileNotWritten, match="/dev/fd/999: Bad file descriptor"):
        write("/dev/fd/999", b"data")


def test_a_reader_who_left_is_no_failure_to_write() -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    os.close(reader)
    with pytest.raises(BrokenPipeError):
        write(f"/dev/fd/{writer}", b"data")
    os.close(writer)


def test_a_full_device_as_standard_output_is_one_line() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    os.set_inheritable(descriptor, True)
    with pytest.raises(FileNotWritten, match="No space left"):
        write(f"/dev/fd/{descriptor}", b"data")
    os.close(descriptor)
