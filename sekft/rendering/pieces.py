"""A check that tokenizer.json splits text as the SentencePiece tokenizer.model beside it does.

Covers: byte-pair models. SentencePiece's rule (always join the neighbouring pair whose joined piece has the best score) is applied
to a probe of shell and code lines and compared with the fast tokenizer. A conversion with its merges in another order gives such
lines other tokens than the base was trained on and than a server with the right tokenizer feeds. transformers 5.23 makes such a
conversion of a folder with only tokenizer.model: it joins runs of blanks, as in every listing, too early.
Does not cover: unigram models; the dummy prefix and the normalisation, which the chat template decides.
"""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from tokenizers import Tokenizer

from sekft.errors import RenderError

BLANK = "▁"
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
    """The vocabulary of a SentencePiece byte-pair model."""

    scores: dict[str, float]  # by piece; without control and byte pieces
    unsplit: tuple[str, ...]  # user-defined pieces, which are cut out of the text before any merge

    def split(self, text: str) -> list[str]:
        """The pieces of a text in which blanks are written ▁, as SentencePiece splits it."""
        pieces = list(text)
        while joins := [(self.scores[joined], -at) for at, pair in enumerate(pairwise(pieces)) if (joined := "".join(pair)) in self.scores]:
            at = -max(joins)[1]  # the leftmost of equal scores
            pieces[at : at + 2] = ["".join(pieces[at : at + 2])]
        return pieces

    def covers(self, text: str) -> bool:
        """Whether split() applies: every character is a piece, and no user-defined piece occurs."""
        return all(letter in self.scores for letter in text) and not any(piece in text for piece in self.unsplit)


def require_same_pieces(folder: Path) -> None:
    """Raise RenderError with the number of probe lines that folder's tokenizer.json and tokenizer.model split differently.

    Does nothing without a byte-pair tokenizer.model.
    """
    pieces = read_pieces(folder / "tokenizer.model")
    if pieces is None:
        return
    model = Tokenizer.from_file(str(folder / "tokenizer.json")).model
    probe = [line for text in PROBE if pieces.covers(line := BLANK + text.replace(" ", BLANK))]
    splits = [([token.value for token in model.tokenize(line)], pieces.split(line)) for line in probe]
    wrong = [(fast, right) for fast, right in splits if fast != right]
    if wrong:
        fast, right = next((fast, right) for fast, right in zip(*wrong[0], strict=False) if fast != right)
        raise RenderError(
            f"{folder}: tokenizer.json splits {len(wrong)} of {len(probe)} lines of code differently from tokenizer.model"
            f" (found {fast!r}, allowed {right!r}); convert it with merges in the order of their scores, or accept it with"
            " model.check_tokenizer=false"
        )


def read_pieces(file: Path) -> Pieces | None:
    """The pieces of a SentencePiece model; None if there is no such file or its model is not byte-pair.

    Raises RenderError if the file is not a SentencePiece model.
    """
    if not file.exists():
        return None
    from google.protobuf.message import DecodeError
    from transformers.convert_slow_tokenizer import import_protobuf

    format = import_protobuf()  # the sentencepiece package's module where it is installed: protobuf refuses to load both copies
    model = format.ModelProto()
    try:
        model.ParseFromString(file.read_bytes())
    except DecodeError as error:
        raise RenderError(f"{file}: not a SentencePiece model: {error}") from None
    if model.trainer_spec.model_type != format.TrainerSpec.BPE:
        return None
    types = format.ModelProto.SentencePiece
    scores = {piece.piece: piece.score for piece in model.pieces if piece.type in (types.NORMAL, types.USER_DEFINED)}
    return Pieces(scores, tuple(piece.piece for piece in model.pieces if piece.type == types.USER_DEFINED))
