"""A small folder shaped like Mistral-7B-Instruct-v0.2, with its real tokenizer and an official chat template.

    python scripts/small_mistral.py FOLDER      then: python -m sekft.train model=mistral7b model.path=FOLDER

Tokenizer: mistral-common's tokenizer.model.v1 (32,000 pieces), merges in the order of their scores as SentencePiece has
them. Template: written by mistral-common for its v1 format. Weights: random. Needs the dev extra; no network.
"""

import hashlib
import json
import sys
from pathlib import Path

import mistral_common
import torch
from mistral_common.integrations.chat_templates.chat_templates import generate_chat_template
from mistral_common.tokens.tokenizers.base import TokenizerVersion
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE
from transformers import MistralConfig, MistralForCausalLM
from transformers.utils import sentencepiece_model_pb2_new as sentencepiece

VOCABULARY = Path(mistral_common.__file__).parent / "data" / "tokenizer.model.v1"
VOCABULARY_SHA256 = "dadfd56d766715c61d2ef780a525ab43b8e6da4de6865bda3d95fdef5e134055"
CONTROL, BYTE = 3, 6  # SentencePiece's piece types


def real_tokenizer(vocabulary: Path = VOCABULARY) -> Tokenizer:
    """A fast tokenizer that splits as SentencePiece does: the merge of the better scored piece comes first."""
    model = sentencepiece.ModelProto()
    model.ParseFromString(vocabulary.read_bytes())
    ids = {piece.piece: index for index, piece in enumerate(model.pieces)}
    scores = {piece.piece: piece.score for piece in model.pieces if piece.type not in (CONTROL, BYTE)}
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
    tokenizer.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in ("<unk>", "<s>", "</s>")])
    return tokenizer


def official_template() -> str:
    """The template of Mistral's v1 format (Mistral-7B-Instruct-v0.1 and v0.2), text only."""
    return generate_chat_template(
        spm=True,
        tokenizer_version=TokenizerVersion.v1,
        image_support=False,
        audio_support=False,
        thinking_support=False,
        default_system_prompt=None,
        plain_thinking_support=False,
        use_special_token_variables=True,
        model_settings_fields=None,
        reasoning_effort_values=None,
        reasoning_effort_default=None,
    )


def main(folder: Path) -> None:
    found = hashlib.sha256(VOCABULARY.read_bytes()).hexdigest()
    if found != VOCABULARY_SHA256:
        sys.exit(f"{VOCABULARY}: sha256 {found}, expected {VOCABULARY_SHA256}")
    torch.manual_seed(0)
    shape = MistralConfig(
        vocab_size=32000, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2
    )
    MistralForCausalLM(shape).save_pretrained(folder)
    real_tokenizer().save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1) + "\n")
    template = official_template()
    (folder / "chat_template.jinja").write_text(template)
    print(f"{folder}: tokenizer {found[:12]}, template {hashlib.sha256(template.encode()).hexdigest()[:12]}, random weights")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python scripts/small_mistral.py FOLDER")
    main(Path(sys.argv[1]))
