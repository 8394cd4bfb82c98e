#!/usr/bin/env bash
# Sets cebport up in .venv beside this checkout. Called by make; may be run again at any time.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# What tests and the benchmark call besides Python. The library and the demonstration need none of them.
SYSTEM_PACKAGES=(libssl3 openssl softhsm2 postgresql libxml2-utils)

python=""
for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        python="$candidate"
        break
    fi
done
if [ -z "$python" ]; then
    echo "cebport needs Python 3.11 or newer; on Debian: apt-get install python3 python3-venv" >&2
    exit 2
fi
if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    echo "$python has no venv module; on Debian: apt-get install python3-venv" >&2
    exit 2
fi

if command -v dpkg-query >/dev/null; then
    missing=()
    for package in "${SYSTEM_PACKAGES[@]}"; do
        state="$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)"
        # libssl3 has another name in newer releases; any library of that name will do
        if [ "$state" != installed ] && ! { [ "$package" = libssl3 ] && ldconfig -p | grep -q 'libcrypto\.so\.3'; }; then
            missing+=("$package")
        fi
    done
    if [ "${#missing[@]}" -gt 0 ]; then
        if [ "$(id -u)" = 0 ]; then
            echo "installing: ${missing[*]}"
            export DEBIAN_FRONTEND=noninteractive
            { apt-get update -q && apt-get install -y -q --no-install-recommends "${missing[@]}"; } >/dev/null ||
                echo "could not be installed; the demonstration runs without them, the tests do not" >&2
        else
            echo "the tests also need: sudo apt-get install ${missing[*]}" >&2
        fi
    fi
fi

if [ ! -x .venv/bin/python ]; then
    "$python" -m venv .venv
fi
.venv/bin/python -m pip install --quiet --disable-pip-version-check -e '.[test]' --config-settings editable_mode=compat
# a command is called for one file at a time: without compiled modules half of its time goes into compiling them
.venv/bin/python -m compileall -q cebport
echo "set up in .venv with $(.venv/bin/python --version)"
