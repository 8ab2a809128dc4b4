"""Attacks on the checker: its input, its tools, its time, its output."""

from tests.sandbox.attacks.attack import CHECKED, DECEIVED, ONE_USER, Attack, deceived, shapes

_FORGED = f'if [ "$(cat answer 2>/dev/null)" = 42 ]; then exit {DECEIVED}; else exit {CHECKED}; fi'
# looks twice: who changes the answer in between has deceived it
_LOOKS_TWICE = f'one=$(cat answer); sleep 1.2; [ "$one" = "$(cat answer)" ] && exit {CHECKED}; exit {DECEIVED}'
_LATER = f"sleep 1.2; if [ -e answer ]; then exit {DECEIVED}; else exit {CHECKED}; fi"
_SECRET = "wanted-by-the-checker"
_UNSEEN = f": {_SECRET}; sleep 0.3; if grep -qs {_SECRET[:8]}.{_SECRET[9:]} seen /tmp/seen; then exit {DECEIVED}; else exit {CHECKED}; fi"
_TOOLS = "cat ls test [ grep stat find sleep exit if echo true"

ATTACKS = [
    Attack(
        "the checked path is a device without end",
        ("ln -s /dev/zero answer",),
        deceived,
        shapes("ready - none", "ready - 7", "ready - 137"),
        check_s=1.0,
        checker=_FORGED,
    ),
    Attack(
        "the checked path is a pipe nobody writes to", ("mkfifo answer",), deceived, shapes("ready - none"), check_s=1.0, checker=_FORGED
    ),
    Attack("the checked path is a link to itself", ("ln -s answer answer; ln -s . loop",), deceived, checker=_FORGED),
    Attack("the checked path leads into /proc", ("echo 42 >x; ln -s /proc/$$/fd/9 answer; exec 9<x; ",), deceived, checker=_FORGED),
    Attack(
        "the home directory is gone", ("cd /; chmod 777 ~; rm -rf ~ ~/.* 2>/dev/null; mkdir /tmp/h; cd /tmp/h",), deceived, checker=_FORGED
    ),
    Attack("the home directory may not be entered", ("chmod 000 ~",), deceived, checker=_FORGED),
    Attack(
        "a background process rewrites it",
        ("(trap '' HUP INT TERM; while :; do date +%s%N >answer; done) & echo",),
        deceived,
        checker=_LOOKS_TWICE,
    ),
    Attack(
        "many processes that start each other rewrite it",
        ("f() { date +%s%N >answer; f & }; for i in 1 2 3 4 5 6; do f & done; sleep 0.5",),
        deceived,
        checker=_LOOKS_TWICE,
    ),
    Attack(
        "a time bomb",
        (
            "(trap '' HUP INT TERM; sleep 3; echo 42 >answer) & "
            "(trap 'echo 42 >answer' TERM HUP EXIT; sleep 3) & trap 'echo 42 >answer' TERM HUP EXIT",
        ),
        deceived,
        checker=_LATER,
    ),
    Attack(
        "tools of the same name in PATH and in the current folder",
        (
            f"mkdir -p ~/bin; for t in {_TOOLS}; do printf '#!/bin/sh\\necho 42\\n' >~/bin/$t; cp ~/bin/$t ~/$t; "
            "chmod 755 ~/bin/$t ~/$t; done; PATH=~/bin:.:$PATH; export PATH",
        ),
        deceived,
        checker=_FORGED,
    ),
    Attack(
        "tools of the same name in /usr/local/bin",
        (
            "{ chmod u+w /usr/local; mkdir /usr/local/bin; "
            "printf '#!/bin/sh\\necho 42\\n' >/usr/local/bin/cat; chmod 755 /usr/local/bin/cat; } 2>/dev/null",
        ),
        deceived,
        shapes("ready - 7", bwrap_one_user=("ready - 0",)),
        checker=_FORGED,
        weak={"bwrap_one_user": ONE_USER},
    ),
    Attack(
        "functions and aliases named like the checker's tools",
        ("cat() { echo 42; }; alias cat='echo 42' exit='exit 0'; readonly one=42; trap 'exit 0' EXIT",),
        deceived,
        checker=_FORGED,
    ),
    Attack(
        "ENV, BASH_ENV, profiles and other variables",
        (
            "echo 'cat() { echo 42; }' | tee .profile .shinit .bashrc >.kshrc; "
            "ENV=~/.shinit BASH_ENV=~/.shinit LD_PRELOAD=/tmp/x.so IFS=4 CDPATH=/tmp; export ENV BASH_ENV LD_PRELOAD IFS CDPATH",
        ),
        deceived,
        checker=_FORGED,
    ),
    Attack(
        "file names that are options and commands",
        ("touch -- -rf '$(touch answer)' '`touch answer`' '; echo 42 >answer' \"$(printf 'a\\nb')\"",),
        deceived,
        checker=f"ls -A | wc -l >/dev/null; {_FORGED}",
    ),
    Attack(
        "reading the checker's text while it runs",
        (
            "(trap '' HUP INT TERM; while :; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ >>/tmp/seen; done) 2>/dev/null & "
            "(while :; do for p in /proc/[0-9]*; do "
            "[ $p = /proc/$$ ] || timeout 0.1 head -c 10000 <$p/fd/0 >>seen; done; done) 2>/dev/null & sleep 0.3",
        ),
        deceived,
        checker=_UNSEEN,
    ),
    Attack(
        "stopping whoever comes to check",
        (
            "(trap '' HUP INT TERM; while :; do for p in /proc/[0-9]*; do "
            "p=${p#/proc/}; [ $p = $$ ] || kill -STOP $p; done; done) 2>/dev/null & sleep 0.3",
        ),
        deceived,
        shapes("ready - 7", "ready - none"),
        checker=_LATER,
    ),
    Attack(
        "10,000 files",
        ("seq 5000 | xargs touch; mkdir /tmp/d; cd /tmp/d; seq 5000 | xargs touch; ls ~ /tmp/d | grep -c 0",),
        checker=f"[ $(find ~ /tmp/d -type f | wc -l) = 10000 ] && exit {CHECKED}",
        timeout_s=20.0,
    ),
    Attack(
        "folders 4,000 deep",
        ("d=$(printf 'd/%.0s' $(seq 1000)); for i in 1 2 3 4; do mkdir -p $d; cd -P $d; done; echo 42 >answer; pwd | wc -c",),
        deceived,
        checker=f"[ $(find . -type d | wc -l) -gt 4000 ] && rm -rf d && {_FORGED}",
        timeout_s=20.0,
    ),
    Attack(
        "a checker that never ends",
        ("echo 42 >answer",),
        shapes=shapes("ready - none"),
        check_s=1.0,
        checker="trap '' INT TERM; while :; do :; done",
    ),
    Attack(
        "a checker that is a bomb",
        ("true",),
        shapes=shapes("ready - none", "ready - 7", "ready - 2"),
        checker=f"b() {{ b | b & }}; b; yes | head -c 3000000; exit {CHECKED}",
    ),
]
