"""Files on disk: whole or not there."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from zlib import crc32

import pytest

from waybill.storage.errors import ChecksumMismatch, FileNotWritten
from waybill.storage.local import FileUpload


def files_in(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_appears_on_the_clean_exit_and_alone(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    with FileUpload(target) as upload:
        upload.write(b"one,")
        upload.write(b"two")
        assert not target.exists()
    assert target.read_bytes() == b"one,two"
    assert files_in(tmp_path) == ["out.csv"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_any_exception_keeps_the_old_file_and_leaves_no_other(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = tmp_path / "out.csv"
    target.write_bytes(b"old")

    def give_up() -> None:
        with FileUpload(target) as upload:
            upload.write(b"new")
            raise error

    with pytest.raises(error):
        give_up()
    assert target.read_bytes() == b"old"
    assert files_in(tmp_path) == ["out.csv"]


@pytest.mark.parametrize("expected", [b"one,two", b"one,tw", b"one,twO", b"two,one"])
def test_a_file_that_is_not_what_was_expected_never_appears(
    tmp_path: Path, expected: bytes
) -> None:
    def write() -> None:
        with FileUpload(tmp_path / "out.csv") as upload:
            upload.write(b"one,")
            upload.write(b"two")
            upload.expect(len(expected), crc32(expected))

    if expected == b"one,two":
        write()
        assert (tmp_path / "out.csv").read_bytes() == expected
    else:
        with pytest.raises(ChecksumMismatch):
            write()
        assert files_in(tmp_path) == []


def test_a_replaced_file_keeps_who_may_read_it(tmp_path: Path) -> None:
    target = tmp_path / "private.csv"
    target.touch(mode=0o600)
    with FileUpload(target) as upload:
        upload.write(b"new")
    assert target.stat().st_mode & 0o777 == 0o600
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("there_before", [True, False])
def test_a_file_system_without_rights_gets_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there_before: bool
) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    # As vfat and many network file systems do.
    for name in ("chmod", "fchmod"):
        monkeypatch.setattr(os, name, refuse)
    target = tmp_path / "out.csv"
    if there_before:
        target.write_bytes(b"old")
    with FileUpload(target) as upload:
        upload.write(b"new")
    assert target.read_bytes() == b"new"
    assert files_in(tmp_path) == ["out.csv"]


def test_nobody_reads_the_file_while_it_is_written_who_may_not_read_it_afterwards(
    tmp_path: Path,
) -> None:
    target = tmp_path / "private.csv"
    target.touch(mode=0o600)
    with FileUpload(target):
        modes = {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {0o600}


@pytest.mark.parametrize("length", [241, 242, 255])
def test_a_name_as_long_as_names_can_be_is_written(tmp_path: Path, length: int) -> None:
    name = "n" * (length - 4) + ".csv"
    with FileUpload(tmp_path / name) as upload:
        upload.write(b"data")
    assert files_in(tmp_path) == [name]


def test_a_name_that_is_too_long_leaves_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(FileNotWritten, match="File name too long"),
        FileUpload(tmp_path / ("n" * 256)),
    ):
        pass
    assert files_in(tmp_path) == []


def test_a_target_that_became_a_directory_leaves_no_part(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"

    def write() -> None:
        with FileUpload(target) as upload:
            upload.write(b"data")
            target.mkdir()

    with pytest.raises(FileNotWritten, match="Is a directory"):
        write()
    assert files_in(tmp_path) == ["out.csv"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "link.csv").symlink_to(tmp_path / "real.csv")
    with FileUpload(tmp_path / "link.csv") as upload:
        upload.write(b"data")
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").read_bytes() == b"data"


def test_two_writers_of_one_file_do_not_mix(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    with FileUpload(target) as first, FileUpload(target) as second:
        first.write(b"first")
        second.write(b"second")
    assert target.read_bytes() == b"first"
    assert files_in(tmp_path) == ["out.csv"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [("missing/out.csv", "No such file or directory"), ("file/out.csv", "Not a directory")],
)
def test_a_directory_that_is_not_there_is_named(tmp_path: Path, path: str, reason: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileNotWritten, match=reason) as caught, FileUpload(tmp_path / path):
        pass
    assert path in caught.value.message


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotWritten, match="Is a directory"), FileUpload(tmp_path):
        pass


def test_a_full_device_fails_and_stays_a_device() -> None:
    def fill() -> None:
        with FileUpload(Path("/dev/full")) as upload:
            upload.write(b"x" * 1_000_000)

    with pytest.raises(FileNotWritten, match="No space left"):
        fill()
    assert Path("/dev/full").is_char_device()


def test_a_small_write_to_a_full_device_fails_at_the_end() -> None:
    def fill() -> None:
        with FileUpload(Path("/dev/full")) as upload:
            upload.write(b"x")

    with pytest.raises(FileNotWritten, match="No space left"):
        fill()


def test_a_failed_write_cannot_be_overlooked(tmp_path: Path) -> None:
    def carry_on() -> None:
        with FileUpload(Path("/dev/full")) as upload:
            with pytest.raises(FileNotWritten):
                upload.write(b"x" * 1_000_000)
            upload.write(b"more")

    with pytest.raises(FileNotWritten):
        carry_on()


FILE_TOO_LARGE = """
import resource, signal, sys
from pathlib import Path
from waybill.storage.errors import FileNotWritten
from waybill.storage.local import FileUpload
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with FileUpload(Path(sys.argv[1])) as upload:
        upload.write(b"x" * 200_000)
except FileNotWritten as error:
    sys.stdout.write(error.message)
"""


def test_a_file_that_outgrows_its_limit_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    command = [sys.executable, "-c", FILE_TOO_LARGE, str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"Cannot write {target}: File too large."
    assert files_in(tmp_path) == []
