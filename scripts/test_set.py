"""The script that made the frozen test set: 64 scenarios of held-out archetypes and 64 of the others, every prefix stratified.

    python scripts/test_set.py        writes sekft/scenario/test.jsonl.gz and prints the hash that frozen.py records

A new set makes another evaluation: rates on the two cannot be compared. A change of the library needs no new set.
"""

import gzip
import hashlib
import json

from sekft.scenario import frozen, library
from sekft.scenario.split import draw_both_sides

SCENARIOS = 128


def main() -> None:
    learned = [name for name in library.archetypes() if name not in frozen.HELD_OUT]
    scenarios = draw_both_sides(frozen.HELD_OUT, learned, SCENARIOS, 0, library.TEST)
    text = "".join(json.dumps(scenario.model_dump(mode="json"), ensure_ascii=False) + "\n" for scenario in scenarios).encode()
    frozen.FILE.write_bytes(gzip.compress(text, mtime=0))
    print(f"{frozen.FILE}: {len(scenarios)} scenarios, {frozen.FILE.stat().st_size} bytes; SHA256 = {hashlib.sha256(text).hexdigest()}")


if __name__ == "__main__":
    main()
