#!/bin/bash
# check.sh [BINARY]: the release binary is a stripped static-pie program with nothing to load, full RELRO, no text
# relocations, no executable stack, stack protector and control-flow entry points, and at most 8 MiB.
# check.sh --shared BINARY: the same of a program that loads shared libraries, whose names for the public are none of ours.
. "$(dirname "$0")/../../ci/common.sh"

shared=
if [ "${1:-}" = --shared ]; then
    shared=1
    shift
fi
binary=${1:-build/release/agent/commands/vw-agent}
limit=$((8 * 1024 * 1024))
bad=0

expect() {
    local what=$1
    shift
    if "$@"; then
        echo "ok: $what"
    else
        echo "NOT: $what"
        bad=1
    fi
}
has() {
    grep -qE -- "$2" <<< "$1"
}
lacks() {
    ! grep -qE -- "$2" <<< "$1"
}

header=$(readelf -hW "$binary")
segments=$(readelf -lW "$binary")
dynamic=$(readelf -dW "$binary")
notes=$(readelf -nW "$binary")
sections=$(readelf -SW "$binary")

expect "position independent" has "$header" 'Type: +DYN'
expect "marked as a program" has "$dynamic" '\(FLAGS_1\).*PIE'
if [ -n "$shared" ]; then
    expect "no folder of its own to load from" lacks "$dynamic" 'RPATH|RUNPATH'
    expect "no name of an archive's for shared libraries" \
        lacks "$(nm -D --defined-only "$binary")" ' (ares_|nettle_|_nettle_|inflate|deflate|mbedtls_|curl_|sodium_)'
else
    expect "no interpreter" lacks "$segments" INTERP
    expect "no shared library needed" lacks "$dynamic" NEEDED
    expect "file calls it static-pie" has "$(file -b "$binary")" 'static-pie linked'
fi
expect "stripped" lacks "$sections" '\.symtab|\.debug_'
expect "read-only after relocation" has "$segments" GNU_RELRO
expect "everything bound at start" has "$dynamic" 'BIND_NOW|FLAGS_1.*NOW'
expect "no relocation in text" lacks "$dynamic" TEXTREL
expect "stack not executable" has "$segments" 'GNU_STACK .* RW +0x'
expect "no segment both writable and executable" lacks "$segments" 'LOAD .* RWE'
expect "no build id, no path of the builder" lacks "$(strings -n 6 "$binary")" "$PWD|$HOME/|^/tmp/|build/release"
# the words are the C library's, or its function's
expect "stack protector" has "$(strings "$binary")" 'stack smashing detected|__stack_chk_fail'
# the loader needs a note in every object; Debian's static glibc has none, so the program's note is dropped by the linker
if has "$notes" 'IBT.*SHSTK'; then
    echo "ok: marked for control-flow enforcement"
else
    entries=$(objdump -d --no-show-raw-insn "$binary" | grep -cw endbr64 || true)
    echo "note: not marked for control-flow enforcement, since glibc's static objects are not; $entries entry points are ready"
    expect "control-flow entry points are there" [ "$entries" -gt 1000 ]
fi
size=$(stat -c %s "$binary")
expect "at most $limit bytes: $size" [ "$size" -le "$limit" ]
exit "$bad"
