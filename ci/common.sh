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

# Runs one check and prints its result as one line, "ok - NAME", "not ok - NAME" or "ok - NAME # skip", which ci/tally
# counts. What it printed is shown when it failed, and always in the last line when it could not run here (exit 77).
checks_failed=0
check() {
    local name=$1 log status=0
    shift
    log=$("$@" 2>&1) || status=$?
    case $status in
    0) echo "ok - $name" ;;
    77) echo "ok - $name # skip: ${log##*$'\n'}" ;;
    *)
        printf '%s\n' "$log"
        echo "not ok - $name"
        checks_failed=$((checks_failed + 1))
        ;;
    esac
}

# The last word of a script of checks: its exit status.
checks_end() {
    [ "$checks_failed" -eq 0 ] || die "$checks_failed checks failed"
}
