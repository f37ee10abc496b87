#!/bin/bash
# Builds what the distribution does not ship in a usable form, into the user's cache, and prints the folder.
#
#   build.sh [FOLDER]
#
# The folder's name has the hash of the recipes, so that a changed recipe is a new build and an unchanged one costs nothing.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
hash=$(cat "$here"/*.sh | sha256sum | cut -c1-16)
root=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/verifywise-agent/third_party}
prefix=$root/$hash
if [ -e "$prefix/.complete" ]; then
    echo "$prefix"
    exit 0
fi
mkdir -p "$root"
exec 9>"$root/.lock"
flock 9
if [ ! -e "$prefix/.complete" ]; then
    work=$(mktemp -d "$root/build.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    rm -rf "$prefix"
    for recipe in mbedtls curl microhttpd; do
        echo "third_party: building $recipe (once; kept in $prefix)" >&2
        mkdir -p "$work/$recipe"
        if ! "$here/$recipe.sh" "$work/$recipe" "$prefix" > "$work/$recipe.log" 2>&1; then
            tail -n 40 "$work/$recipe.log" >&2
            echo "third_party: $recipe failed" >&2
            exit 1
        fi
    done
    touch "$prefix/.complete"
fi
echo "$prefix"
