"""Random conversations for property tests: shell text, blanks, control strings of every family."""

from hypothesis import strategies as st

from sekft.rendering.messages import Message

PIECES = [
    "ls -la",
    "cat a.txt",
    "$ ",
    "\n",
    "  ",
    "\t",
    "é✓日本",
    "</s>",
    "[INST]",
    "<|im_end|>",
    "<|im_start|>user",
    "0x1f",
    "exit",
    "panic",
    "> ",
    "▁",
]
TEXT = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=5).map("".join)
TYPED = TEXT.map(str.strip).map(lambda text: text or "ls")  # blanks at an end may merge with the prompt; the render contract refuses them
LEAVING = st.sampled_from(["exit", "panic", "panic no tool", "exit 0"])


@st.composite
def episodes(draw: st.DrawFn, decisions: int = 4, leaves: bool = True) -> list[Message]:
    """Alternating environment turns and commands. decisions: most commands; leaves: whether the last one is exit or panic."""
    amount = draw(st.integers(1, decisions))
    typed = [draw(TYPED) for _ in range(amount - leaves)] + [draw(LEAVING) for _ in range(leaves)]
    turns = [(Message(role="user", content=draw(TEXT) + "$ "), Message(role="assistant", content=text)) for text in typed]
    return [message for turn in turns for message in turn]


@st.composite
def raw(draw: st.DrawFn) -> list[Message]:
    """What a client may send: perhaps a system turn, an environment turn, then turns of any role in any order."""
    system = [Message(role="system", content=draw(TEXT))] if draw(st.booleans()) else []
    roles = ["user", *draw(st.lists(st.sampled_from(["user", "assistant"]), max_size=6))]
    return [*system, *(Message(role=role, content=draw(TEXT)) for role in roles)]  # type: ignore[arg-type]
