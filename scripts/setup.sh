#!/bin/sh
# Makes $VENV with the package and its tools. Debian ships Python without `venv`; then the package
# python3-venv is installed if we may, and otherwise virtualenv for this user.
set -eu
PYTHON="${PYTHON:-python3}"
VENV="${VENV:-.venv}"

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "benign needs Python 3.11 or newer; $PYTHON is $("$PYTHON" --version). Try make PYTHON=python3.12" >&2
    exit 2
}

if [ ! -x "$VENV/bin/pip" ]; then
    echo "Setting up $VENV (once; a minute or two) …" >&2
    "$PYTHON" -m venv "$VENV" >/dev/null 2>&1 || {
        rm -rf "$VENV"
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            apt-get update -qq && apt-get install -y -qq python3-venv >/dev/null && "$PYTHON" -m venv "$VENV"
        else
            "$PYTHON" -m pip install --quiet --user --break-system-packages virtualenv &&
                "$PYTHON" -m virtualenv --quiet "$VENV"
        fi
    }
fi
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check \
    --constraint constraints.txt -e ".[dev]"
