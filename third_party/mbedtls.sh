#!/bin/bash
# mbedTLS 3.6 LTS, static, from Debian 13's source package: bookworm's 2.28 has no TLS 1.3.
# With locks: TLS 1.3 is built on PSA, whose keys and random numbers all threads share.
#   mbedtls.sh WORK PREFIX
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) work=$1 prefix=$2
version=$("$here/debian-source.sh" mbedtls trixie '3.6.*' "$work")
for option in MBEDTLS_THREADING_C MBEDTLS_THREADING_PTHREAD; do
    python3 "$work/source/scripts/config.py" -f "$work/source/include/mbedtls/mbedtls_config.h" set "$option"
done
cmake -S "$work/source" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" \
    -DCMAKE_INSTALL_LIBDIR=lib -DENABLE_TESTING=OFF -DENABLE_PROGRAMS=OFF -DMBEDTLS_FATAL_WARNINGS=OFF \
    -DGEN_FILES=OFF -DUSE_SHARED_MBEDTLS_LIBRARY=OFF \
    -DCMAKE_C_FLAGS="-fPIE -O2 -fstack-protector-strong -fcf-protection=full -ffunction-sections -fdata-sections -ffile-prefix-map=$work=."
cmake --build "$work/build"
cmake --install "$work/build"
echo "mbedtls $version" >> "$prefix/versions"
