"""Small texts that lie beside the tables: alerts, the heartbeat.

Belongs here: writing one whole, reading one. Does not: what they say, or where they lie (``paths``).
"""

from __future__ import annotations

from pyarrow import fs

from glue_jobs.files import open_file_system


def write_text(path: str, text: str) -> None:
    """Put a whole file at ``path``; nobody sees part of it. S3 shows an object when it is complete."""
    system, target = open_file_system(path)
    if path.startswith("s3://"):
        with system.open_output_stream(target) as stream:
            stream.write(text.encode())
        return
    folder, _, name = target.rpartition("/")
    system.create_dir(folder, recursive=True)
    incoming = f"{folder}/.{name}.incoming"
    with system.open_output_stream(incoming) as stream:
        stream.write(text.encode())
    system.move(incoming, target)


def read_text(path: str) -> str | None:
    """The text at ``path``, with a sign in the place of what is no UTF-8; None if there is none."""
    system, target = open_file_system(path)
    if system.get_file_info(target).type is not fs.FileType.File:
        return None
    with system.open_input_stream(target) as stream:
        content: bytes = stream.read()
    return content.decode(errors="replace")
