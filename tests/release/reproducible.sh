#!/bin/bash
# reproducible.sh: a copy of the tree in another folder, built at another time, in another time zone, under another umask,
# gives the same programs as build/release, byte for byte.
. "$(dirname "$0")/../../ci/common.sh"

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
other=$copy/a-folder-with-another-name/deeper
mkdir -p "$other"
git ls-files -z -co --exclude-standard | while IFS= read -r -d '' file; do
    [ ! -f "$file" ] || printf '%s\0' "$file"
done | tar -c --null -T - | tar -x -C "$other"

ci/build release > /dev/null
(
    cd "$other"
    umask 077
    TZ=Asia/Kathmandu LC_ALL=C ci/build release > "$copy/log" 2>&1 || { tail -n 30 "$copy/log" && exit 1; }
)
for program in build/release/agent/commands/vw-agent build/release/controller/commands/vw-controller; do
    sha256sum "$program" "$other/$program"
    cmp "$program" "$other/$program"
done
