#!/usr/bin/env bash
# The system libraries Qt loads (offscreen and X11) and a font to draw with.
#   system-libraries.sh           names the Debian packages that are missing, one line, exit 1; else exit 0
#   system-libraries.sh install   installs them with apt-get where this is root, else as above
# Other systems than Linux need none.
set -u

# soname package
LIBRARIES="
libEGL.so.1 libegl1
libGL.so.1 libgl1
libdbus-1.so.3 libdbus-1-3
libfontconfig.so.1 libfontconfig1
libfreetype.so.6 libfreetype6
libglib-2.0.so.0 libglib2.0-0
libgssapi_krb5.so.2 libgssapi-krb5-2
libxkbcommon.so.0 libxkbcommon0
libX11.so.6 libx11-6
libX11-xcb.so.1 libx11-xcb1
libxkbcommon-x11.so.0 libxkbcommon-x11-0
libxcb.so.1 libxcb1
libxcb-cursor.so.0 libxcb-cursor0
libxcb-glx.so.0 libxcb-glx0
libxcb-icccm.so.4 libxcb-icccm4
libxcb-image.so.0 libxcb-image0
libxcb-keysyms.so.1 libxcb-keysyms1
libxcb-randr.so.0 libxcb-randr0
libxcb-render.so.0 libxcb-render0
libxcb-render-util.so.0 libxcb-render-util0
libxcb-shape.so.0 libxcb-shape0
libxcb-shm.so.0 libxcb-shm0
libxcb-sync.so.1 libxcb-sync1
libxcb-util.so.1 libxcb-util1
libxcb-xfixes.so.0 libxcb-xfixes0
libxcb-xkb.so.1 libxcb-xkb1
"

missing() {
    local known found="" soname package
    known="$( (ldconfig -p || /sbin/ldconfig -p) 2>/dev/null)"
    while read -r soname package; do
        [ -z "$soname" ] && continue
        case "$known" in
            *"$soname "*) ;;
            *) found="$found $package" ;;
        esac
    done <<< "$LIBRARIES"
    # Qt brings no font of its own; without one every text is drawn as boxes.
    if ! find /usr/share/fonts /usr/local/share/fonts "${HOME:-/root}/.fonts" \
        "${HOME:-/root}/.local/share/fonts" \( -name '*.ttf' -o -name '*.otf' -o -name '*.ttc' \) \
        2>/dev/null | grep -q .; then
        found="$found fonts-dejavu-core"
    fi
    echo "${found# }"
}

[ "$(uname -s)" = "Linux" ] || exit 0
packages="$(missing)"
[ -z "$packages" ] && exit 0

if [ "${1:-}" = "install" ] && [ "$(id -u)" = "0" ] && command -v apt-get >/dev/null; then
    echo "Installing system libraries for Qt: $packages"
    export DEBIAN_FRONTEND=noninteractive
    log="$(mktemp)"
    # shellcheck disable=SC2086  # a list of packages, split on purpose
    if (apt-get update -qq && apt-get install -y -qq --no-install-recommends $packages) >"$log" 2>&1; then
        rm -f "$log"
        exit 0
    fi
    echo "alcove: apt-get could not install the libraries: $(tail -n 1 "$log")" >&2
    rm -f "$log"
    packages="$(missing)"
fi
echo "alcove: the desktop needs system libraries that are missing: sudo apt-get install $packages" >&2
exit 1
