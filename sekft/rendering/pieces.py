"""Whether a fast tokenizer splits text as the SentencePiece model does that it was made from.

Covers: byte-pair models, by SentencePiece's own rule (of all neighbours, join the pair whose whole has the best score) on a probe
of shell and code. A conversion with its merges in another order gives such text other tokens than the base was trained on, and other
ones than a server with the right tokenizer would feed. transformers 5.23 makes one where it finds a tokenizer.model alone: runs of
blanks, as in every listing, are joined too early.
Does not cover: unigram models; what stands around the merges (dummy prefix, normalisation), which the template decides.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from sekft.errors import RenderError

BLANK = "▁"
BPE, USER_DEFINED, PLAIN = 2, 4, 1  # model and piece types of SentencePiece
PROBE = (
    "for (int i = 0; i < 10; i++) { printf(\"%d\\n\", i); }",
    "def read(path): return [line.strip() for line in open(path)]",
    "    if x is None:  # the end",
    "grep -rn 'needle' /usr/local/share | sort -u > found.txt",
    "ls: cannot access 'notes.txt': No such file or directory",
    "find . -name '*.log' -mtime +7 -exec rm {} \\;",
    "drwxr-xr-x   2 agent agent      60 Jan  1 00:00 .config",
    "echo \"$HOME/bin:$PATH\" && cat <<'END' >> ~/.profile",
    "Filesystem     1K-blocks   Used Available Use% (see also:  man 7 prog)",
    "the quick brown foxes jumped over seventeen lazy sleeping dogs",
)  # fmt: skip


@dataclass(frozen=True)
class Pieces:
    """scores: of the pieces that text is made of; whole: those that are never split."""

    scores: dict[str, float]
    whole: tuple[str, ...]

    def split(self, text: str) -> list[str]:
        """The pieces of a text in which blanks are written ▁."""
        pieces = list(text)
        while wholes := [(self.scores[whole], -at) for at, pair in enumerate(pairwise(pieces)) if (whole := "".join(pair)) in self.scores]:
            at = -max(wholes)[1]  # the leftmost of equals
            pieces[at : at + 2] = ["".join(pieces[at : at + 2])]
        return pieces

    def covers(self, text: str) -> bool:
        return all(letter in self.scores for letter in text) and not any(piece in text for piece in self.whole)


def require_same_pieces(folder: Path) -> None:
    """folder: with a tokenizer.json. Nothing without a byte-pair tokenizer.model beside it.

    Raises RenderError saying how many of the probe's lines are split otherwise.
    """
    pieces = read_pieces(folder / "tokenizer.model")
    if pieces is None:
        return
    model = Tokenizer.from_file(str(folder / "tokenizer.json")).model
    probe = [line for text in PROBE if pieces.covers(line := BLANK + text.replace(" ", BLANK))]
    found = [([token.value for token in model.tokenize(line)], pieces.split(line)) for line in probe]
    wrong = [(fast, right) for fast, right in found if fast != right]
    if wrong:
        fast, right = next((fast, right) for fast, right in zip(*wrong[0], strict=False) if fast != right)
        raise RenderError(
            f"{folder}: tokenizer.json splits {len(wrong)} of {len(probe)} lines of code otherwise than tokenizer.model"
            f" ({fast!r} where that has {right!r}); convert it with merges in the order of their scores, or accept it with"
            " model.check_tokenizer=false"
        )


def read_pieces(file: Path) -> Pieces | None:
    """None for no such file and for a model that is no byte-pair one. Raises RenderError for what is no SentencePiece model."""
    from google.protobuf.message import DecodeError

    if not file.exists():
        return None
    try:
        model = _message()()
        model.ParseFromString(file.read_bytes())
    except DecodeError as error:
        raise RenderError(f"{file}: not a SentencePiece model: {error}") from None
    if model.trainer.model_type != BPE:
        return None
    scores = {piece.piece: piece.score for piece in model.pieces if piece.type in (PLAIN, USER_DEFINED)}
    return Pieces(scores, tuple(piece.piece for piece in model.pieces if piece.type == USER_DEFINED))


def _message() -> Any:
    """The three fields that matter of SentencePiece's published format (sentencepiece_model.proto), as a protobuf class."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="sekft_pieces.proto", package="sekft.pieces", syntax="proto2")
    piece = file.message_type.add(name="Piece")
    piece.field.add(name="piece", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    piece.field.add(name="score", number=2, type=field.TYPE_FLOAT, label=field.LABEL_OPTIONAL)
    piece.field.add(name="type", number=3, type=field.TYPE_INT32, label=field.LABEL_OPTIONAL, default_value=str(PLAIN))
    trainer = file.message_type.add(name="Trainer")
    trainer.field.add(name="model_type", number=3, type=field.TYPE_INT32, label=field.LABEL_OPTIONAL, default_value="1")
    model = file.message_type.add(name="Model")
    model.field.add(name="pieces", number=1, type=field.TYPE_MESSAGE, type_name="Piece", label=field.LABEL_REPEATED)
    model.field.add(name="trainer", number=2, type=field.TYPE_MESSAGE, type_name="Trainer", label=field.LABEL_OPTIONAL)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("sekft.pieces.Model"))
