#!/usr/bin/env bash
# Makes .venv/ with Alcove, its trainer and its tests in it. Called by the Makefile; safe to repeat.
# PYTHON names the interpreter (3.11 or newer); without it the first fitting one on PATH is taken.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    echo "alcove: $*" >&2
    exit 1
}

fits() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

root_apt() {
    [ "$(id -u)" = "0" ] && command -v apt-get >/dev/null
}

apt_install() {
    echo "Installing $*"
    (export DEBIAN_FRONTEND=noninteractive
     apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@") >/dev/null 2>&1
}

python=""
for name in ${PYTHON:-} python3.11 python3 python3.12 python3.13; do
    if fits "$name"; then
        python="$name"
        break
    fi
done
[ -n "$python" ] || fail "Python 3.11 or newer is needed; install it, or name it: make PYTHON=/path/to/python3.11 setup"

# Missing Qt libraries stop the desktop, not the engine: they are said and the set-up goes on.
bash installers/system-libraries.sh install || true

# A .venv that does not run (moved, or its Python is gone) is made anew.
if [ -e .venv ] && ! .venv/bin/python -c 'import pip' >/dev/null 2>&1; then
    rm -rf .venv
fi
if [ ! -e .venv ]; then
    if "$python" -c 'import venv, ensurepip' >/dev/null 2>&1; then
        "$python" -m venv .venv
    elif "$python" -m pip --version >/dev/null 2>&1 && "$python" -m venv --without-pip .venv >/dev/null 2>&1; then
        # Debian's Python without python3-venv: pip can still fill the new environment from outside.
        "$python" -m pip --python .venv/bin/python install --quiet pip
    else
        rm -rf .venv
        fail "this Python cannot make virtual environments: sudo apt-get install python3-venv (or set PYTHON to one that can)"
    fi
fi

# hnswlib comes as source: it needs a C++ compiler and Python's headers once.
if ! .venv/bin/python -c 'import hnswlib' >/dev/null 2>&1; then
    needed=""
    command -v "${CXX:-g++}" >/dev/null || needed="g++"
    .venv/bin/python -c 'import os, sysconfig; raise SystemExit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' \
        || needed="$needed python3-dev"
    if [ -n "$needed" ]; then
        # shellcheck disable=SC2086  # a list of packages, split on purpose
        { root_apt && apt_install $needed; } \
            || fail "building hnswlib needs a C++ compiler and Python's headers: sudo apt-get install$(printf ' %s' $needed)"
    fi
fi

echo "Installing Alcove and what it needs into .venv (some minutes the first time)"
.venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --constraint constraints.txt --editable '.[trainer,dev]' \
    || fail "pip could not install everything (its own message is above); run the command again when that is mended"
