"""A text file that grows, read line by line as far as it goes."""

import os
from collections.abc import Iterator
from pathlib import Path


class Tail:
    def __init__(self, path: Path) -> None:
        self._path, self._at, self._file = path, 0, -1

    def lines(self, rest: bool = False) -> Iterator[str]:
        """What is new, as whole lines. rest: the last one, too, if it was never finished. A bar that overwrites itself shows how it
        stood last."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            if self._file != (number := os.fstat(file.fileno()).st_ino):  # another one has its name now
                self._file, self._at = number, 0
            file.seek(self._at)
            new = file.read()
        whole = len(new) if rest else new.rfind(b"\n") + 1
        self._at += whole
        for line in new[:whole].decode(errors="replace").split("\n")[: None if rest and not new.endswith(b"\n") else -1]:
            yield line.rstrip("\r").rpartition("\r")[2]
