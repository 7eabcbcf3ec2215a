"""Files of a lake in a folder, as PyIceberg opens them."""

from __future__ import annotations

from pathlib import Path

import pytest

from taxi_assets.lake.local_files import LocalFiles


@pytest.mark.parametrize("address", ["", "file://"])
def test_a_file_is_written_read_and_deleted_by_its_path_or_its_address(tmp_path: Path, address: str) -> None:
    files, location = LocalFiles(), f"{address}{tmp_path}/new folder/a.avro"
    output = files.new_output(location)
    assert not output.exists()
    with output.create() as stream:
        stream.write(b"12345")
    written = output.to_input_file()
    assert (len(written), written.exists(), written.location) == (5, True, location)
    with files.new_input(location).open() as opened:
        assert opened.read() == b"12345"
    files.delete(written)
    assert not (tmp_path / "new folder" / "a.avro").exists()
    with pytest.raises(FileNotFoundError):
        files.delete(location)


def test_a_file_that_is_there_is_replaced_only_if_that_is_asked_for(tmp_path: Path) -> None:
    output = LocalFiles().new_output(f"{tmp_path}/a.avro")
    for text in (b"first", b"second"):
        with output.create(overwrite=True) as stream:
            stream.write(text)
    with pytest.raises(FileExistsError):
        output.create()
    assert (tmp_path / "a.avro").read_bytes() == b"second"
