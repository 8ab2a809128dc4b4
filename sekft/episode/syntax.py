"""What a text is to a POSIX shell: its simple commands, their words after quote removal, and what it leaves open.

Covers: quotations, escapes, comments, operators, redirections, here-documents, reserved words, expansions (skipped, not evaluated).
Does not cover: aliases, the value of an expansion, the grammar of compound commands; what the grammar forbids the shell itself reports.
Written here and not taken from a library: bashlex (GPL) and tree-sitter-bash parse bash, and refuse or guess at prose, where what is needed
is how far dash reads on after an apostrophe; `sh -n` reports an error but no words.
"""

import re
from dataclasses import dataclass

OPENING = frozenset(("if", "while", "until", "for", "case", "{", "("))
CLOSING = frozenset(("fi", "done", "esac", "}", ")"))
RESERVED = OPENING | CLOSING | {"then", "elif", "else", "do", "in", "!", ";;"}
NOT_A_COMMAND = frozenset(("for", "case", "in"))  # the words up to the end of the line are a list, no command
OPERATORS = ("&&", "||", ";;", ";", "&", "|", "(", ")")
_REDIRECTION = re.compile(r"\d?(<<-|<<|<&|<>|>>|>&|>\||<|>)")
_BACKTICKS = re.compile(r"(?:[^`\\]|\\.)*`", re.DOTALL)
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
_APOSTROPHE = re.compile(r"[A-Za-z]'(?:t|s|m|d|re|ve|ll)\b")


@dataclass(frozen=True)
class SimpleCommand:
    """One simple command. words: after quote removal, without assignments and redirections; empty for a bare assignment or redirection.

    is_list: not a command but the words of for or case; words is then empty.
    plain: its source, with the content of quotations removed that open at the start of an argument. group: number of the lines that the
    shell reads before it runs any of them. after: the operator or reserved word in front of it. expands: its first word is not known
    before it is expanded. apostrophe: a quotation that opens inside a word, as in "don't".
    """

    words: tuple[str, ...]
    plain: str
    group: int
    after: str = ""
    expands: bool = False
    apostrophe: bool = False
    is_list: bool = False


@dataclass(frozen=True)
class ShellText:
    """commands: in their order. rest: the source of the last group if the shell would wait for more, else empty.

    fenced: a line begins with ``` outside of quotations and here-documents. compound: groups with a reserved word or parentheses.
    """

    commands: tuple[SimpleCommand, ...] = ()
    rest: str = ""
    fenced: bool = False
    compound: frozenset[int] = frozenset()


def parse(text: str) -> ShellText:
    """The text as the shell reads it, line by line from a first prompt."""
    return _Parser(text if text.endswith("\n") else text + "\n").run()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.commands: list[SimpleCommand] = []
        self.group = self.group_start = self.depth = 0
        self.compound: set[int] = set()
        self.fenced = self.open = False
        self.here: list[tuple[str, bool]] = []  # delimiters of here-documents whose text begins at the next line
        self.after = ""
        self.clear()

    def clear(self) -> None:
        self.words: list[str] = []
        self.plain: list[str] = []
        self.any = self.expands = self.apostrophe = self.is_list = False

    def run(self) -> ShellText:
        while self.at < len(self.text) and not self.open:
            self.step()
        self.end("")
        waits = self.open or self.depth > 0 or self.group_start < len(self.text)
        return ShellText(tuple(self.commands), self.text[self.group_start :] if waits else "", self.fenced, frozenset(self.compound))

    def step(self) -> None:
        text, at = self.text, self.at
        if text[at] == "\n":
            self.newline()
        elif text[at] in " \t":
            self.at += 1
        elif text.startswith("\\\n", at):
            self.at += 2
        elif text[at] == "#":
            self.at = text.index("\n", at)
        elif found := _REDIRECTION.match(text, at):
            self.redirection(found[0], found[1])
        elif operator := next((one for one in OPERATORS if text.startswith(one, at)), ""):
            self.operator(operator)
        else:
            self.word()

    def newline(self) -> None:
        self.end("")
        self.at += 1
        while self.here and not self.open:
            self.here_document(*self.here.pop(0))
        joined = self.after in ("&&", "||", "|")  # the list goes on in the next line
        if not joined:
            self.after = ""
        if self.depth <= 0 and not joined and not self.open:
            self.group, self.group_start, self.depth = self.group + 1, self.at, 0

    def here_document(self, delimiter: str, tabs: bool) -> None:
        while self.at < len(self.text):
            end = self.text.index("\n", self.at)
            line, self.at = self.text[self.at : end], end + 1
            if (line.lstrip("\t") if tabs else line) == delimiter:
                return
        self.open = True

    def operator(self, operator: str) -> None:
        self.at += len(operator)
        if operator in "()":
            self.compound.add(self.group)
            self.depth += 1 if operator == "(" else -1
            if operator == "(" and self.any:
                self.plain.append("(")
        self.end(operator)

    def redirection(self, source: str, operator: str) -> None:
        self.any = True
        self.plain.append(source)
        self.at += len(source)
        while self.text[self.at] in " \t":
            self.at += 1
        if self.text[self.at] in "\n&|;()<>":
            return  # a syntax error
        start = self.at
        target, _ = self.read_word()
        self.plain.append(self.text[start : self.at])
        if operator.startswith("<<"):
            self.here.append((target, operator == "<<-"))

    def word(self) -> None:
        start = self.at
        self.fenced |= self.text.startswith("```", start) and not self.text[:start].rpartition("\n")[2].strip()
        value, expands = self.read_word()
        source = self.text[start : self.at]
        if not self.any and value == source and value in RESERVED:
            self.reserved(value)
            return
        self.any = True
        quoted = source[0] in "'\"" and self.words
        self.plain.append(source[0] * 2 if quoted else source)
        self.apostrophe |= bool(_APOSTROPHE.search(source)) and source[0] not in "'\""
        if self.words or not _ASSIGNMENT.match(source):
            self.expands |= expands and not self.words
            self.words.append(value)

    def reserved(self, word: str) -> None:
        self.compound.add(self.group)
        self.depth += (word in OPENING) - (word in CLOSING)
        self.plain.append(word)
        if word in NOT_A_COMMAND:
            self.any = self.is_list = True
        else:
            self.after = word

    def end(self, operator: str) -> None:
        """End the simple command; operator: what follows it, empty at the end of a line."""
        if self.any:
            words = () if self.is_list else tuple(self.words)
            found = SimpleCommand(words, " ".join(self.plain), self.group, self.after, self.expands, self.apostrophe, self.is_list)
            self.commands.append(found)
        elif self.plain and not operator:  # a reserved word alone
            self.plain.clear()
        if self.any or operator:
            self.after = operator
            self.clear()

    def read_word(self) -> tuple[str, bool]:
        """(the word at self.at after quote removal, whether it holds an expansion); self.at is then behind it."""
        value: list[str] = []
        expands = False
        text = self.text
        while self.at < len(text) and text[self.at] not in " \t\n;&|<>()":
            letter = text[self.at]
            if letter == "\\":
                value.append(text[self.at + 1 : self.at + 2].replace("\n", ""))
                self.at += 2
            elif letter == "'":
                end = text.find("'", self.at + 1)
                value.append(text[self.at + 1 : end if end >= 0 else len(text)])
                self.at, self.open = (end + 1, self.open) if end >= 0 else (len(text), True)
            elif letter == '"':
                inner, inside = self.double_quoted()
                value.append(inner)
                expands |= inside
            elif letter == "`" or text.startswith(("$(", "${"), self.at):
                value.append(self.substitution())
                expands = True
            else:
                expands |= letter in "*?" or (letter == "$" and text[self.at + 1 : self.at + 2].strip() not in ("", '"'))
                value.append(letter)
                self.at += 1
        return "".join(value), expands

    def double_quoted(self) -> tuple[str, bool]:
        self.at += 1
        value: list[str] = []
        expands, text = False, self.text
        while self.at < len(text):
            letter = text[self.at]
            if letter == '"':
                self.at += 1
                return "".join(value), expands
            if letter == "\\" and text[self.at + 1 : self.at + 2] in ("$", "`", '"', "\\", "\n"):
                value.append(text[self.at + 1].replace("\n", ""))
                self.at += 2
            elif letter == "`" or text.startswith(("$(", "${"), self.at):
                value.append(self.substitution())
                expands = True
            else:
                expands |= letter == "$" and text[self.at + 1 : self.at + 2].isalnum()
                value.append(letter)
                self.at += 1
        self.open = True
        return "".join(value), expands

    def substitution(self) -> str:
        """Skip a command substitution or a parameter in braces; returns its source."""
        start, text = self.at, self.text
        if text[start] == "`":
            closed = _BACKTICKS.match(text, start + 1)
            self.at, self.open = (closed.end(), self.open) if closed else (len(text), True)
            return text[start : self.at]
        closing = {"(": ")", "{": "}"}[text[start + 1]]
        self.at += 2
        depth = 1
        while self.at < len(text):
            letter = text[self.at]
            if letter in "'":
                end = text.find("'", self.at + 1)
                self.at = end if end >= 0 else len(text)
            elif letter == '"':
                self.double_quoted()
                continue
            elif letter == "\\":
                self.at += 1
            elif letter == "(" and closing == ")":
                depth += 1
            elif letter == closing:
                depth -= 1
                if not depth:
                    self.at += 1
                    return text[start : self.at]
            self.at += 1
        self.at, self.open = len(text), True
        return text[start:]
