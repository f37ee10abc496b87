#!/bin/bash
# PCRE2 without its just-in-time compiler, static, from Debian 12's source package: patterns come from policies, are small and
# matched under limits that compiled code does not have. The compiler would be a quarter of a megabyte of the agent, and
# memory that is both written and run.
#   pcre2.sh WORK PREFIX
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) work=$1 prefix=$2
version=$("$here/debian-source.sh" pcre2 bookworm '10.42*' "$work")
cmake -S "$work/source" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" \
    -DCMAKE_INSTALL_LIBDIR=lib -DBUILD_SHARED_LIBS=OFF -DBUILD_STATIC_LIBS=ON -DPCRE2_BUILD_PCRE2GREP=OFF -DPCRE2_BUILD_TESTS=OFF \
    -DPCRE2_SUPPORT_JIT=OFF -DPCRE2_SUPPORT_UNICODE=ON \
    -DCMAKE_C_FLAGS="-fPIE -O2 -fstack-protector-strong -fcf-protection=full -ffunction-sections -fdata-sections -ffile-prefix-map=$work=. -ffile-prefix-map=$prefix=."
cmake --build "$work/build"
cmake --install "$work/build"
echo "pcre2 $version" >> "$prefix/versions"
