#!/bin/sh
# usage: venv.sh PYTHON VENV: a virtual environment with sekft and its pinned dependencies.
set -eu
python=$1 venv=$2

fits() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null; }

if ! fits "$python"; then
    for other in python3.13 python3.12 python3.11; do
        if fits "$other"; then python=$other; break; fi
    done
fi
if ! fits "$python"; then
    echo "sekft: no Python 3.11, 3.12 or 3.13 found (tried $python, python3.11-3.13); say which: make PYTHON=/path/to/python" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip' 2>/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "sekft: installing Debian's python3-venv"
        apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv >/dev/null
    else
        echo "sekft: $python has no venv module; install it first (Debian: apt-get install python3-venv)" >&2
        exit 1
    fi
fi
echo "sekft: installing into $venv with $("$python" --version): torch, transformers, peft, trl, ... (about 130 packages, 2-6 GB)"
"$python" -m venv "$venv"
"$venv/bin/python" -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
