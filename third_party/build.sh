#!/bin/bash
# Builds what the distribution does not ship in a usable form, into the user's cache, and prints the folder.
#
#   build.sh [FOLDER]
#
# The folder's name has the hash of the recipes and of the compiler's version, so that a changed recipe is a new build and
# an unchanged one costs nothing. It counts from the moment that .complete is there.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
hash=$({ cat "$here"/{build,debian-source,mbedtls,curl,microhttpd,pcre2}.sh && gcc -dumpfullversion -dumpmachine; } | sha256sum | cut -c1-16)
root=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/verifywise-agent/third_party}
prefix=$root/$hash

build() {
    local work recipe library
    work=$(mktemp -d "$root/build.XXXXXX")
    # shellcheck disable=SC2064  # the folder of now
    trap "rm -rf '$work'" EXIT
    rm -rf "$prefix"
    mkdir "$prefix"
    for recipe in mbedtls curl microhttpd pcre2; do
        echo "third_party: building $recipe (once; kept in $prefix)" >&2
        mkdir "$work/$recipe"
        if ! "$here/$recipe.sh" "$work/$recipe" "$prefix" > "$work/$recipe.log" 2>&1; then
            tail -n 40 "$work/$recipe.log" >&2
            echo "third_party: $recipe failed" >&2
            return 1
        fi
    done
    for library in mbedtls mbedx509 mbedcrypto curl microhttpd pcre2-8; do
        [ -s "$prefix/lib/lib$library.a" ] || { echo "third_party: no lib$library.a was built" >&2; return 1; }
    done
    touch "$prefix/.complete"
}

if [ ! -e "$prefix/.complete" ]; then
    mkdir -p "$root"
    exec 9> "$root/.lock"
    flock 9
    # another process may have built it while this one waited
    if [ ! -e "$prefix/.complete" ]; then
        build >&2
    fi
fi
echo "$prefix"
