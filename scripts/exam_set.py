"""How the frozen exam set was made: 64 worlds of held-out archetypes and 64 new ones of the others, in stratified order.

    python scripts/exam_set.py        writes sekft/scenario/exam.jsonl.gz and prints the hash that frozen.py records

Made anew it is another exam: rates before and after cannot be compared. A change of the library needs no new set.
"""

import gzip
import hashlib
import json

from sekft.scenario import frozen, library
from sekft.scenario.split import both

WORLDS = 128


def main() -> None:
    learned = [name for name in library.archetypes() if name not in frozen.HELD_OUT]
    worlds = both(frozen.HELD_OUT, learned, WORLDS, 0, library.EXAM)
    text = "".join(json.dumps(world.model_dump(mode="json"), ensure_ascii=False) + "\n" for world in worlds).encode()
    frozen.FILE.write_bytes(gzip.compress(text, mtime=0))
    print(f"{frozen.FILE}: {len(worlds)} worlds, {frozen.FILE.stat().st_size} bytes; SHA256 = {hashlib.sha256(text).hexdigest()}")


if __name__ == "__main__":
    main()
