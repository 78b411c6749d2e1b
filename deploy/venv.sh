#!/bin/sh
# Makes .venv with this project and the named extras in it. Usage: deploy/venv.sh PYTHON EXTRAS
set -eu
python=$1
extras=$2

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "This needs Python 3.11 or newer; '$python' is $("$python" --version 2>&1 || echo missing)." >&2
    echo "Install it (Debian: apt-get install python3 python3-venv) or say which one: make PYTHON=/path/to/python3.11 ..." >&2
    exit 1
fi
if [ ! -x .venv/bin/pip ]; then
    if ! "$python" -m venv .venv; then
        rm -rf .venv
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends python3-venv
            "$python" -m venv .venv
        else
            echo "Python's venv module is missing: as root, apt-get install python3-venv" >&2
            exit 1
        fi
    fi
fi
echo "Installing Python packages into .venv (a few minutes the first time) ..."
.venv/bin/pip install --quiet --disable-pip-version-check --constraint deploy/constraints.txt --editable ".[$extras]"
