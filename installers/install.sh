#!/usr/bin/env bash
# Installs Alcove for the current user: an environment of its own, the command, a desktop entry.
#   bash installers/install.sh [FOLDER]     default: ~/.local/share/alcove-program
# Uninstall: remove FOLDER, ~/.local/bin/alcove and ~/.local/share/applications/alcove.desktop.
# Workspaces are wherever you made them and are not touched by either.
set -euo pipefail
source_folder="$(cd "$(dirname "$0")/.." && pwd)"
folder="${1:-$HOME/.local/share/alcove-program}"
commands="$HOME/.local/bin"
applications="$HOME/.local/share/applications"

fail() {
    echo "alcove: $*" >&2
    exit 1
}

python=""
for name in ${PYTHON:-} python3.11 python3 python3.12 python3.13; do
    if "$name" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
        python="$name"
        break
    fi
done
[ -n "$python" ] || fail "Python 3.11 or newer with venv is needed (Debian: sudo apt-get install python3-venv)"
bash "$source_folder/installers/system-libraries.sh" install || true

mkdir -p "$folder" "$commands"
[ -x "$folder/bin/python" ] || "$python" -m venv "$folder"
echo "Installing Alcove into $folder (some minutes)"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade \
    --constraint "$source_folder/constraints.txt" "$source_folder[trainer]"
ln -sf "$folder/bin/alcove" "$commands/alcove"

if [ "$(uname -s)" = "Linux" ]; then
    mkdir -p "$applications"
    # A quoted Exec may hold spaces; the four characters the specification names are escaped.
    quoted="$(printf '%s' "$folder/bin/alcove" | sed 's/[\\"`$]/\\&/g')"
    cat > "$applications/alcove.desktop" <<ENTRY
[Desktop Entry]
Type=Application
Name=Alcove
Comment=Map product listings to a catalogue
Exec="$quoted" gui
Terminal=false
Categories=Office;
ENTRY
fi

"$folder/bin/alcove" --version
case ":$PATH:" in
    *":$commands:"*) echo "Installed. Run: alcove" ;;
    *) echo "Installed. Run: $commands/alcove (add $commands to PATH to type just alcove)" ;;
esac
