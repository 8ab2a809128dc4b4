"""A small folder shaped like Mistral-7B-Instruct, with a real tokenizer and an official chat template of its family.

    python scripts/small_mistral.py FOLDER [v1|v2|v3|v7|tekken]      v1 is that of Mistral-7B-Instruct-v0.2
    python -m sekft.train model=mistral7b model.path=FOLDER

Tokenizer: the vocabulary files of mistral-common, merges in the order of their scores as SentencePiece has them.
Template: written by mistral-common for that format. Weights: random. Needs the dev extra; no network.
"""

import hashlib
import json
import sys
from pathlib import Path

import mistral_common
import torch
from mistral_common.integrations.chat_templates.chat_templates import convert_tokenizer_to_chat_template
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import MistralConfig, MistralForCausalLM
from transformers.convert_slow_tokenizer import import_protobuf
from transformers.integrations.mistral.tokenizer import convert_tekken_tokenizer

FILES = {  # name, sha256
    "v1": ("tokenizer.model.v1", "dadfd56d766715c61d2ef780a525ab43b8e6da4de6865bda3d95fdef5e134055"),
    "v2": ("mistral_instruct_tokenizer_240216.model.v2", "37f00374dea48658ee8f5d0f21895b9bc55cb0103939607c8185bfd1c6ca1f89"),
    "v3": ("mistral_instruct_tokenizer_240323.model.v3", "9addc8bdce5988448ae81b729336f43a81262160ae8da760674badab9d4c7d33"),
    "v7": ("mistral_instruct_tokenizer_241114.model.v7", "1b968b8dc352f42192367337c78ccc61e1eaddc6d641a579372d4f20694beb7a"),
    "tekken": ("tekken_240911.json", "1948e2d48b0e7377f1bb5f1210f1ae5f984934e75713fc07e2452729b8365316"),
}
UNKNOWN, CONTROL, BYTE = 2, 3, 6  # SentencePiece's piece types


def vocabulary_file(version: str) -> Path:
    """The vocabulary as mistral-common ships it. Exits if it is not the one that is known."""
    name, expected = FILES[version]
    path = Path(mistral_common.__file__).parent / "data" / name
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != expected:
        sys.exit(f"{path}: sha256 {found}, expected {expected}")
    return path


def fast_tokenizer(version: str) -> Tokenizer:
    path = vocabulary_file(version)
    return convert_tekken_tokenizer(str(path)).backend_tokenizer if version == "tekken" else from_sentencepiece(path)


def from_sentencepiece(vocabulary: Path) -> Tokenizer:
    """A fast tokenizer that splits as SentencePiece does: the merge of the better scored piece comes first."""
    model = import_protobuf().ModelProto()
    model.ParseFromString(vocabulary.read_bytes())
    ids = {piece.piece: index for index, piece in enumerate(model.pieces)}
    scores = {piece.piece: piece.score for piece in model.pieces if piece.type not in (UNKNOWN, CONTROL, BYTE)}
    merges = [
        (-scores[piece], ids[piece[:cut]], ids[piece[cut:]], piece[:cut], piece[cut:])
        for piece in scores
        for cut in range(1, len(piece))
        if piece[:cut] in ids and piece[cut:] in ids
    ]
    pairs = [(left, right) for *_, left, right in sorted(merges)]
    tokenizer = Tokenizer(BPE(vocab=ids, merges=pairs, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", left=1, right=0)]
    )
    control = [piece.piece for piece in model.pieces if piece.type in (UNKNOWN, CONTROL)]
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in control])
    return tokenizer


def write_tokenizer(folder: Path, version: str) -> str:
    """tokenizer.json, tokenizer_config.json, chat_template.jinja and, where there is one, tokenizer.model; returns the template."""
    folder.mkdir(parents=True, exist_ok=True)
    if version != "tekken":
        (folder / "tokenizer.model").write_bytes(vocabulary_file(version).read_bytes())
    fast_tokenizer(version).save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    template = convert_tokenizer_to_chat_template(vocabulary_file(version))
    (folder / "chat_template.jinja").write_text(template)
    return template


def main(folder: Path, version: str) -> None:
    template = write_tokenizer(folder, version)
    torch.manual_seed(0)
    words = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()
    shape = MistralConfig(
        vocab_size=words, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2
    )
    MistralForCausalLM(shape).save_pretrained(folder)
    name, digest = FILES[version]
    print(f"{folder}: tokenizer {name} {digest[:12]}, template {hashlib.sha256(template.encode()).hexdigest()[:12]}, random weights")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[2:3] not in ([], *([version] for version in FILES)):
        sys.exit(f"usage: python scripts/small_mistral.py FOLDER [{'|'.join(FILES)}]")
    main(Path(sys.argv[1]), (sys.argv[2:] or ["v1"])[0])
