#!/bin/bash
# Fetches and unpacks one source package of a Debian suite, and prints the version it got.
#
#   debian-source.sh PACKAGE SUITE VERSION-PATTERN FOLDER
#
# Uses the machine's own package configuration for the address and Debian's archive keys for the signature, in a private
# state folder: nothing on the host changes. Takes the newest listed version that matches the pattern (a shell glob) and
# can be fetched: an index may list versions that are gone again.
set -euo pipefail
package=$1 suite=$2 pattern=$3 folder=$4

state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
mkdir -p "$state/lists/partial" "$state/archives/partial" "$folder"

uri=$(apt-get indextargets --format '$(CREATED_BY)|$(ORIGIN)|$(LABEL)|$(REPO_URI)' |
      awk -F'|' '$1 == "Packages" && $2 == "Debian" && $3 == "Debian" { print $4; exit }')
if [ -z "$uri" ]; then
    echo "debian-source.sh: this machine's apt knows no Debian archive; run apt-get update first" >&2
    exit 1
fi
keys=/usr/share/keyrings/debian-archive-keyring.gpg
echo "deb-src [signed-by=$keys] $uri $suite main" > "$state/sources.list"
private=(-o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=/dev/null
         -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state" -o APT::Sandbox::User=root -qq)
apt-get "${private[@]}" update >&2

mapfile -t versions < <(apt-cache "${private[@]}" showsrc --only-source "$package" |
                        awk '$1 == "Version:" { print $2 }' | sort -u |
                        while read -r v; do
                            # newest first, by Debian's own order
                            echo "$v"
                        done | sort -rV)
cd "$folder"
for version in "${versions[@]}"; do
    # shellcheck disable=SC2254
    case $version in
    $pattern)
        if apt-get "${private[@]}" source --download-only "$package=$version" >&2 &&
           dpkg-source --no-copy -x "${package}_${version#*:}.dsc" source >&2; then
            echo "$version"
            exit 0
        fi
        echo "debian-source.sh: $package $version is listed but cannot be fetched; trying an older one" >&2 ;;
    esac
done
echo "debian-source.sh: no version of $package in $suite matches '$pattern' and can be fetched" >&2
exit 1
