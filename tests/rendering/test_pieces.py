"""A tokenizer.json that splits differently from its SentencePiece model is refused before anything is trained."""

import json
from pathlib import Path

import pytest
import sentencepiece

from sekft.config import ModelConfig, Weights
from sekft.errors import RenderError
from sekft.model.locate import load_tokenizer
from sekft.rendering.pieces import PROBE, read_pieces, require_same_pieces
from tests.rendering.fixtures import small_mistral


def misordered(folder: Path, real: Path) -> Path:
    """The folder of `real` with its merges in the order of the ids, as transformers 5.23 converts a tokenizer.model."""
    for name in ("tokenizer.model", "tokenizer_config.json", "chat_template.jinja", "config.json"):
        (folder / name).write_bytes((real / name).read_bytes())
    made = json.loads((real / "tokenizer.json").read_text())
    vocabulary = made["model"]["vocab"]
    made["model"]["merges"].sort(key=lambda pair: tuple(vocabulary[part] for part in pair))
    (folder / "tokenizer.json").write_text(json.dumps(made))
    return folder


@pytest.mark.parametrize("version", ["v1", "v2", "v3", "v7"])
def test_pieces_split_as_sentencepiece_does(version: str):
    file = small_mistral().vocabulary_file(version)
    pieces, theirs = read_pieces(file), sentencepiece.SentencePieceProcessor(model_file=str(file))
    assert pieces is not None
    for line in PROBE:
        assert pieces.covers(text := "▁" + line.replace(" ", "▁"))
        assert pieces.split(text) == theirs.encode(line, out_type=str)


def test_merges_in_another_order_are_refused_unless_accepted(small_mistral: Path, tmp_path: Path):
    require_same_pieces(small_mistral)
    wrong = misordered(tmp_path, small_mistral)
    settings = ModelConfig(name="m", path=str(wrong), weights=Weights.random)
    with pytest.raises(RenderError, match=r"tokenizer.json splits \d+ of 10 lines .*model.check_tokenizer=false"):
        load_tokenizer(settings)
    settings.check_tokenizer = False
    assert load_tokenizer(settings).bos == 1


def test_a_missing_model_is_fine_and_a_broken_one_is_an_error(small_mistral: Path, tmp_path: Path):
    (tmp_path / "tokenizer.json").write_bytes((small_mistral / "tokenizer.json").read_bytes())
    require_same_pieces(tmp_path)
    (tmp_path / "tokenizer.model").write_bytes(b"\xff\xff not protobuf")
    with pytest.raises(RenderError, match="not a SentencePiece model"):
        require_same_pieces(tmp_path)
