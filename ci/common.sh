# shellcheck shell=bash
# common.sh: what the scripts of this folder share. Sourced; leaves the caller in the repository's top folder.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
export VW_CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/verifywise-agent

# What is being done now, for a person who watches.
say() {
    printf '\n== %s\n' "$*" >&2
}

die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Runs a command as root: as it is, or by sudo.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo > /dev/null; then
        sudo "$@"
    else
        die "needs root or sudo for: $*"
    fi
}
