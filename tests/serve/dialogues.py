"""Fifty raw dialogues as clients may send them, none of them in canonical form."""

import random

from sekft.rendering.messages import Message

PIECES = [
    "ls -la\n$ ", "  two  blanks", "héllo ✓ 日本語 🐚", "</s>", "<s>[INST]", "[/INST]", "<|im_end|>", "-rw-r--r-- 1 agent agent 12 NOTICE",
    "\t", "0x1f", "\n\n\n", "{{ messages }}", "{% raw %}", "'quoted' \"twice\"", "e\u0301", "\u200b", "a" * 40, "$ ", "> ",
]  # fmt: skip
ENDS = ["", " ", "   ", "\n", "\n$ ", " \n \n", "\t"]
TYPED = ["ls", "cat NOTICE", "olbrin --help", "echo 'a  b' >> x.txt", "grep -c ✓ a.txt", "exit"]


def raw_dialogues(count: int = 50) -> list[list[Message]]:
    """Each ends with an assistant's turn to learn; a third begin with a system turn, half contain two user turns in a row."""
    rng = random.Random(4)
    dialogues = []
    for index in range(count):
        dialogue = [Message(role="system", content=_text(rng))] if index % 3 == 0 else []
        for exchange in range(rng.randint(1, 4)):
            dialogue.append(Message(role="user", content=_text(rng)))
            if (index + exchange) % 2 == 0:
                dialogue.append(Message(role="user", content=_text(rng)))
            dialogue.append(Message(role="assistant", content=rng.choice(TYPED)))
        dialogues.append(dialogue)
    return dialogues


def _text(rng: random.Random) -> str:
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 6))) + rng.choice(ENDS)
