"""The origin of an adapter: every run that training continued from, as far as the runs can be found."""

import json
from hashlib import sha256
from pathlib import Path

from sekft.compare.lineage import Lineage, lineages
from sekft.compare.page import link_runs
from tests.compare.test_comparison import compared
from tests.eval.planted_runs import plant, share


def lineages_of(*folders: Path) -> list[Lineage]:
    return lineages({linked.name: linked.run for linked in link_runs(compared(folders[0].parent).sorted_groups(), folders[0].parent)})


def change(run: Path, **changes: object) -> Path:
    """Set top-level keys of run.json."""
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, **changes}))
    return run


def test_runs_of_the_same_origin_are_one_line_and_other_code_or_base_is_another(tmp_path: Path):
    git = {"sha": "0123456789abcdef", "dirty": False}
    runs = [change(plant(tmp_path / "s" / str(at), share(1, 2), seed=at), git=git) for at in (0, 2, 10)]
    odd = change(plant(tmp_path / "s" / "3", share(1, 2), {"model": {"path": "other", "weights": "random"}}, 3), git={**git, "dirty": True})
    found = {one.names: one for one in lineages_of(*runs, odd)}
    assert set(found) == {("0", "2", "10"), ("3",)}
    assert found["0", "2", "10"].code == "0123456789" and found["0", "2", "10"].base == "sekft:tiny" and not found["0", "2", "10"].parents
    assert found["3",].base == "other (weights)" and found["3",].code == "0123456789 and uncommitted changes"


def test_the_chain_goes_back_to_the_first_run_with_links_to_pages(tmp_path: Path):
    first = plant(tmp_path / "first", share(1, 8), seed=7)
    (first / "report.html").write_text("x")
    second = plant(tmp_path / "second", share(2, 8), {"adapter": str(first / "adapter")})
    run = plant(tmp_path / "s" / "0", share(3, 8), {"adapter": str(second / "best")})
    (one,) = lineages_of(run)
    assert [parent.folder for parent in one.parents] == [second, first]
    assert one.parents[0].page is None and one.parents[1].page == first / "report.html" and "seed 7" in one.parents[1].text


def test_a_parent_that_is_gone_or_its_own_child_ends_the_chain(tmp_path: Path):
    run = plant(tmp_path / "s" / "0", share(1, 8), {"adapter": str(tmp_path / "gone" / "adapter")})
    assert [parent.text for parent in lineages_of(run)[0].parents] == [f"{tmp_path}/gone/adapter (no finished run there)"]
    ring = plant(tmp_path / "ring" / "0", share(1, 8), {"adapter": str(tmp_path / "ring" / "0" / "adapter")})
    assert len(lineages_of(ring)[0].parents) == 1


def test_training_data_and_number_of_rows_are_named(tmp_path: Path):
    run = plant(tmp_path / "s" / "0", share(1, 8), {"data": {"sources": {"a": {"path": "a.jsonl"}, "b": {"path": None}}}})
    summary = json.loads((run / "summary.json").read_text())
    (run / "summary.json").write_text(json.dumps({**summary, "data": {"rows": 216}}))
    assert lineages_of(run)[0].data == "a.jsonl, made by the run: 216 rows"


def weights(run: Path, content: bytes = b"weights") -> str:
    (run / "adapter").mkdir(parents=True, exist_ok=True)
    (run / "adapter" / "adapter_model.safetensors").write_bytes(content)
    return sha256(content).hexdigest()


def began(policy: str, adapter: Path | None = None, digest: str = "", checkpoint: str | None = None) -> dict[str, object]:
    parent = {"adapter": str(adapter), "sha256": digest} if adapter else None
    return {"command": "train", "start": {"policy": policy, "began": policy, "parent": parent, "checkpoint": checkpoint}}


def test_start_policy_and_digest_of_the_parent_are_named_and_a_changed_parent_is_marked(tmp_path: Path):
    first = change(plant(tmp_path / "first", share(1, 8)), **began("bootstrap", checkpoint="first/checkpoints/checkpoint-3"))
    digest = weights(first)
    settings = {"adapter": str(first / "adapter")}
    run = change(plant(tmp_path / "s" / "0", share(3, 8), settings), **began("continue", first / "adapter", digest))
    (one,) = lineages_of(run)
    assert (one.start, one.parents[0].text) == ("continue", f"{first}/adapter (seed 0, rows unknown, sha256 {digest[:10]})")
    assert str(one).endswith(f": start=continue, from {one.parents[0].text}")
    weights(first, b"others")
    assert lineages_of(run)[0].parents[0].text.endswith(f"sha256 {digest[:10]}, changed since)")
    assert lineages_of(first)[0].start == "bootstrap, resumed from checkpoint-3"


def test_a_release_is_a_parent_whose_run_is_its_evidence(tmp_path: Path):
    release = tmp_path / "prod" / "0001-old"
    plant(release / "evidence", share(1, 8), seed=7)
    digest = weights(release)
    run = change(
        plant(tmp_path / "s" / "0", share(3, 8), {"adapter": str(release / "adapter")}), **began("release", release / "adapter", digest)
    )
    (one,) = lineages_of(run)
    assert (one.start, [parent.folder for parent in one.parents]) == ("release", [release]) and "seed 7" in one.parents[0].text
