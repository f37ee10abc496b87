#!/bin/bash
# libmicrohttpd without TLS, static, from Debian 12's source package: the agent serves health and metrics on loopback only, and
# the distribution's archive drags GnuTLS in.
#   microhttpd.sh WORK PREFIX
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) work=$1 prefix=$2
version=$("$here/debian-source.sh" libmicrohttpd bookworm '0.9.*' "$work")
cd "$work/source"
./configure --prefix="$prefix" --libdir="$prefix/lib" --disable-shared --enable-static --disable-https --disable-curl --disable-doc \
    --disable-examples --disable-tools --disable-bauth --disable-dauth --disable-postprocessor --disable-httpupgrade \
    CFLAGS="-fPIE -O2 -fstack-protector-strong -fcf-protection=full -ffunction-sections -fdata-sections -ffile-prefix-map=$work=. -ffile-prefix-map=$prefix=."
make -j"$(nproc)" -C src/microhttpd
make -C src/microhttpd install
make -C src/include install
echo "libmicrohttpd $version" >> "$prefix/versions"
