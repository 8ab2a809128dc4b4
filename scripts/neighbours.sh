#!/bin/sh
# Makes .venv-neighbours/inspect and .venv-neighbours/verifiers for tests/test_neighbours.py: each framework beside the packages of .venv.
# They need different versions of openai, so each has an environment of its own, whose packages come before those of .venv.
set -eu
cd "$(dirname "$0")/.."
ours=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
make_beside() {
    .venv/bin/python -m venv ".venv-neighbours/$1"
    python=".venv-neighbours/$1/bin/python"
    printf '%s\n%s\n' "$PWD" "$ours" >"$("$python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/beside.pth"
    PIP_CONSTRAINT= "$python" -m pip install -q "$2"
}
make_beside inspect inspect-ai==0.3.285
make_beside verifiers verifiers==0.4.0
