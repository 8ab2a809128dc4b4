"""How the shipped files of `model=tiny` were made: a byte-level BPE of collected lives, and the shape of a small Mistral.

    python -m sekft.collect episodes=96 hydra.run.dir=outputs/tiny && python scripts/tiny_files.py outputs/tiny/trajectories.jsonl

Weights are not shipped: model.weights=random draws them from model.seed.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from sekft.model.locate import SHIPPED, base_folder
from sekft.rollout.trajectory import read

VOCABULARY = 1024
CONTROL = ("<s>", "</s>", "[INST]", "[/INST]")
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '[INST]' + message['content'] + '[/INST]' }}"
    "{% else %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}"
)
SHAPE = {
    "architectures": ["MistralForCausalLM"],
    "model_type": "mistral",
    "vocab_size": VOCABULARY,
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "head_dim": 32,
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-5,
    "initializer_range": 0.08,
    "tie_word_embeddings": False,
    "sliding_window": None,
    "bos_token_id": CONTROL.index("<s>"),
    "eos_token_id": CONTROL.index("</s>"),
}


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """VOCABULARY tokens; words, numbers and runs of marks are never joined, a blank belongs to the word after it."""
    tokenizer = Tokenizer(models.BPE())
    words = pre_tokenizers.Split(Regex(r" ?\p{L}+|\p{N}|\s| ?[^\s\p{L}\p{N}]+"), "isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    special = [AddedToken(text, special=True, normalized=False) for text in CONTROL]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=special, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def main(trajectories: Path, folder: Path) -> None:
    texts = [message.content for life in read(trajectories) for message in life.messages]
    folder.mkdir(parents=True, exist_ok=True)
    train_tokenizer(texts).save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>"}
    for name, value in (("config.json", SHAPE), ("tokenizer_config.json", settings)):
        (folder / name).write_text(json.dumps(value, indent=1) + "\n")
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    print(f"{folder}: from {len(texts)} texts of {trajectories}")


if __name__ == "__main__":
    from sekft.config import ModelConfig

    if len(sys.argv) != 2:
        sys.exit("usage: python scripts/tiny_files.py TRAJECTORIES")
    main(Path(sys.argv[1]), base_folder(ModelConfig(path=f"{SHIPPED}tiny"), weights=False))
