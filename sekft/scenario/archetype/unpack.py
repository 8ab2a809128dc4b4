"""unpack: unpack a tar archive where it lies. It is encoded in base64, because a scenario holds text only."""

import base64
import io
import tarfile
from collections.abc import Mapping

from sekft.scenario.draw import Draw
from sekft.scenario.task import Blocker, Task, stopped

FAMILY = "archives"
PHRASINGS = (
    "Unpack {source} here. It is a tar archive in base64.",
    "{source} is a tar archive, encoded in base64. Its files are wanted in this folder.",
    "Decode {source} from base64 and extract the tar archive it is.",
    "The files in {source} are wanted here: base64 round a tar archive.",
)


def task(draw: Draw, stop: Blocker) -> Task:
    """Blocked by `missing` only: the files go to the home, which can always be written."""
    source = draw.file("b64") if stop else draw.source("b64")
    files: dict[str, str] = {draw.name(): draw.text() for _ in range(2)}
    blocker, panic = stopped(stop and Blocker.missing, source)
    return Task(
        directives=(draw.phrase(PHRASINGS, source=source),),
        solve=(f"base64 -d {source} | tar -xf -",),
        before={} if stop else {source: archive(files)},
        after={source: None} if stop else dict(files),
        blocker=blocker,
        panic=panic,
    )


def archive(files: Mapping[str, str]) -> str:
    """The files as a tar archive in base64; the same bytes on every Python, as it has no times, no owners, no compression."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, text in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
    blocks = buffer.getvalue().rstrip(b"\0")
    return base64.encodebytes(blocks + b"\0" * (-len(blocks) % 512 + 1024)).decode()
