#!/bin/sh
# The peers of the benchmarks, a C++ compiler for the reference if we may install one, then the run.
set -eu
BIN="${BIN:-.venv/bin}"

"$BIN/python" -m pip install --quiet --disable-pip-version-check \
    --constraint constraints.txt -e ".[bench]"

if ! command -v "${CXX:-g++}" >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing g++ for the C++ reference …" >&2
        { apt-get update -qq && apt-get install -y -qq g++ >/dev/null; } || true
    fi
    command -v "${CXX:-g++}" >/dev/null ||
        echo "No C++ compiler: the table lacks the C++ reference and the limit. Install g++ or set CXX." >&2
fi
exec "$BIN/python" -m benchmarks.run "$@"
