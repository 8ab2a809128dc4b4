"""Dialogues with the odd texts that shells produce; turns alternate, the environment first."""

from sekft.rendering.messages import Message

LISTING = "".join(f"-rw-r--r-- 1 agent agent {n * 37} file-{n}.txt\n" for n in range(200))
TEXTS: dict[str, tuple[str, ...]] = {
    "plain": ("Welcome\n$ ", "ls", "a.txt\n$ ", "exit"),
    "one turn": ("$ ", "exit"),
    "eighty turns": ("$ ", "ls") * 39 + ("$ ", "exit"),
    "two hundred lines": ("$ ", "ls -l", LISTING + "$ ", "exit"),
    "one very long line": ("$ ", "cat log", "0123456789 abcdef " * 400 + "\n$ ", "exit"),
    "unicode": ("héllo ✓ 日本\n$ ", "echo 'ñ ü 日本'", "ñ ü 日本\n$ ", "exit"),
    "emoji and control bytes": ("🙂\x7f\x00\n$ ", "printf '\\303\\251'", "é$ ", "exit"),
    "combining marks and right to left": ("e\u0301 שלום\u200f\n$ ", "echo e\u0301", "e\u0301\n$ ", "exit"),
    "the blank mark itself": ("▁ a▁b\n$ ", "echo ▁x", "▁x\n$ ", "exit"),
    "terminal escapes": ("\x1b[31mred\x1b[0m\n$ ", "ls --color", "\x1b[01;34mbin\x1b[0m\n$ ", "exit"),
    "tabs": ("a\tb\n$ ", "cut -f\t1", "$ ", "exit"),
    "line ends of Windows": ("one\r\ntwo\r\n$ ", "tr -d '\\r' < f", "one\ntwo\n$ ", "exit"),
    "no line end before the prompt": ("abc$ ", "printf x", "x$ ", "exit"),
    "blank lines": ("\n\n\n$ ", "cat f", "\n\n\na\n\n$ ", "exit"),
    "blanks inside": ("a   b    c\n$ ", "echo 'two  blanks'", "two  blanks\n$ ", "exit"),
    "leading blanks in the output": ("  indented\n$ ", "ls", "   a\n$ ", "exit"),
    "a here-document": ("$ ", "cat > f <<END\none\n  two\nEND", "$ ", "exit"),
    "a command over two turns": ("$ ", "echo 'open", "> ", "close'", "open\nclose\n$ ", "exit"),
    "numbers": ("1234567890 0x1f\n$ ", "expr 12 + 34", "46\n$ ", "exit"),
    "punctuation": ("]>)}{(<[\n$ ", "[ -f x ] && echo $?", "1\n$ ", "exit"),
    "brackets first": ("$ ", "[ -f x ]", "$ ", "<x cat", "$ ", "exit"),
    "quotes and backslashes": ("$ ", "echo \"a 'b' \\c\"", "a 'b' \\c\n$ ", "exit"),
    "code": ("def f(x):\n    return x\n$ ", "sed -n '1,2p' f.py", "def f(x):\n$ ", "exit"),
    "paths": ("/srv/a-b_c.d/e\n$ ", "cat /srv/a-b_c.d/e", "$ ", "exit"),
    "panic with a reason": ("$ ", "cat x", "cat: x: No such file or directory\n$ ", "panic missing x"),
    "no output": ("$ ", "true", "$ ", "true", "$ ", "exit"),
    "an empty command": ("$ ", "", "$ ", "exit"),
    "only blanks typed": ("$ ", "   ", "$ ", "exit"),
    "only a line end typed": ("$ ", "\n", "$ ", "exit"),
    "blanks typed first": ("$ ", "  ls", "a\n$ ", "exit"),
    "a tab typed first": ("$ ", "\tls", "a\n$ ", "exit"),
    "a line end typed first": ("$ ", "\nls", "a\n$ ", "exit"),
    "blanks typed last": ("$ ", "ls  ", "$ ", "exit"),
    "a line end typed last": ("$ ", "ls\n", "$ ", "exit"),
    "control strings in the output": ("</s> [INST] <s>\n$ ", "ls", "x</s>y<|im_end|>\n$ ", "exit"),
    "control strings typed": ("$ ", "echo '</s>' '<|eot_id|>'", "</s> <|eot_id|>\n$ ", "exit"),
    "control strings of every family": (
        "<|im_start|>user <end_of_turn> <|end|> <|endoftext|> [/INST] <bos> <|begin_of_text|>\n$ ",
        "ls",
        "<think>no</think> <start_of_turn>model\n$ ",
        "exit",
    ),
}


def talk(*texts: str) -> list[Message]:
    """Turns in order, the environment first."""
    return [Message(role="assistant" if at % 2 else "user", content=text) for at, text in enumerate(texts)]


DIALOGUES: dict[str, list[Message]] = {name: talk(*texts) for name, texts in TEXTS.items()}
DIALOGUES["a system turn first"] = [Message(role="system", content="You are here."), *talk("Welcome\n$ ", "ls", "a\n$ ", "exit")]
DIALOGUES["the environment twice in a row"] = [Message(role="user", content="Welcome"), *talk("$ ", "ls", "a\n$ ", "exit")]
