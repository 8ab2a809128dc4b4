"""Fifty raw dialogues as clients send them: nothing about them is canonical."""

import random

from sekft.rendering.messages import Message

PIECES = [
    "ls -la\n$ ", "  two  blanks", "héllo ✓ 日本語 🐚", "</s>", "<s>[INST]", "[/INST]", "<|im_end|>", "-rw-r--r-- 1 agent agent 12 NOTICE",
    "\t", "0x1f", "\n\n\n", "{{ messages }}", "{% raw %}", "'quoted' \"twice\"", "e\u0301", "\u200b", "a" * 40, "$ ", "> ",
]  # fmt: skip
ENDS = ["", " ", "   ", "\n", "\n$ ", " \n \n", "\t"]
TYPED = ["ls", "cat NOTICE", "olbrin --help", "echo 'a  b' >> x.txt", "grep -c ✓ a.txt", "exit"]


def raw_dialogues(amount: int = 50) -> list[list[Message]]:
    """Each ends in the assistant's turn that is to be learned; a third opens with a system turn, half double a user turn."""
    rng = random.Random(4)
    out = []
    for index in range(amount):
        talk = [Message(role="system", content=_text(rng))] if index % 3 == 0 else []
        for exchange in range(rng.randint(1, 4)):
            talk.append(Message(role="user", content=_text(rng)))
            if (index + exchange) % 2 == 0:
                talk.append(Message(role="user", content=_text(rng)))
            talk.append(Message(role="assistant", content=rng.choice(TYPED)))
        out.append(talk)
    return out


def _text(rng: random.Random) -> str:
    return "".join(rng.choice(PIECES) for _ in range(rng.randint(1, 6))) + rng.choice(ENDS)
