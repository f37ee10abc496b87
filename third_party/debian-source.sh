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

keys=/usr/share/keyrings/debian-archive-keyring.gpg
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
mkdir -p "$state/lists/partial" "$state/archives/partial" "$folder"
private=(-qq -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$state/lists"
         -o Dir::Cache="$state" -o APT::Sandbox::User=root -o Acquire::Retries=3 -o APT::Update::Error-Mode=any)

# Where this machine gets its Debian from. Without downloaded lists nothing says which archive is Debian's: then every
# archive of the machine's own release is tried, and only one that Debian's keys have signed is believed.
addresses() {
    local codename
    # shellcheck disable=SC2016  # apt's own placeholders
    apt-get indextargets --format '$(CREATED_BY)|$(ORIGIN)|$(LABEL)|$(REPO_URI)' |
        awk -F'|' '$1 == "Packages" && $2 == "Debian" && $3 == "Debian" { print $4 }'
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && echo "$VERSION_CODENAME")
    # shellcheck disable=SC2016
    apt-get indextargets --no-release-info --format '$(CREATED_BY)|$(RELEASE)|$(REPO_URI)' |
        awk -F'|' -v codename="$codename" '$1 == "Packages" && ($2 == codename || $2 == "stable") { print $3 }'
}

# Reads the suite's index of sources from the first archive that has it.
update() {
    local address
    while read -r address; do
        echo "deb-src [signed-by=$keys] $address $suite main" > "$state/sources.list"
        if apt-get "${private[@]}" update >&2; then
            return 0
        fi
    done < <(addresses | awk '!seen[$0]++')
    echo "debian-source.sh: no archive in this machine's package configuration serves Debian's $suite" >&2
    return 1
}

update
mapfile -t versions < <(apt-cache "${private[@]}" showsrc --only-source "$package" | awk '$1 == "Version:" { print $2 }' | sort -urV)
cd "$folder"
for version in "${versions[@]}"; do
    # shellcheck disable=SC2053  # the pattern is a glob
    [[ $version == $pattern ]] || continue
    if apt-get "${private[@]}" source --download-only "$package=$version" >&2 &&
        dpkg-source --no-check --no-copy -x "${package}_${version#*:}.dsc" source >&2; then
        echo "$version"
        exit 0
    fi
    rm -rf source
    echo "debian-source.sh: $package $version is listed but cannot be fetched; trying an older one" >&2
done
echo "debian-source.sh: no version of $package in $suite matches '$pattern' and can be fetched" >&2
exit 1
