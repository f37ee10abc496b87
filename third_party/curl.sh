#!/bin/bash
# libcurl 8.14, static, http and https only, with mbedTLS, c-ares and zlib, from Debian 13's source package: the distribution's
# own archive cannot be linked statically. c-ares, because a static program must never call getaddrinfo. Unix sockets are for the command line of the controller.
#   curl.sh WORK PREFIX        (after mbedtls.sh into the same PREFIX)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd) work=$1 prefix=$2
version=$("$here/debian-source.sh" curl trixie '8.14.*' "$work")
cmake -S "$work/source" -B "$work/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_INSTALL_PREFIX="$prefix" \
    -DCMAKE_INSTALL_LIBDIR=lib -DCMAKE_PREFIX_PATH="$prefix" \
    -DBUILD_SHARED_LIBS=OFF -DBUILD_STATIC_LIBS=ON -DBUILD_CURL_EXE=OFF -DBUILD_LIBCURL_DOCS=OFF -DBUILD_MISC_DOCS=OFF -DBUILD_TESTING=OFF \
    -DENABLE_CURL_MANUAL=OFF -DHTTP_ONLY=ON -DCURL_USE_MBEDTLS=ON -DCURL_USE_OPENSSL=OFF -DENABLE_ARES=ON -DENABLE_THREADED_RESOLVER=OFF \
    -DCURL_ZLIB=ON -DCURL_BROTLI=OFF -DCURL_ZSTD=OFF -DUSE_NGHTTP2=OFF -DUSE_LIBIDN2=OFF -DCURL_USE_LIBPSL=OFF -DCURL_USE_LIBSSH2=OFF \
    -DENABLE_UNIX_SOCKETS=ON -DCURL_DISABLE_WEBSOCKETS=ON -DCURL_DISABLE_ALTSVC=ON -DCURL_DISABLE_HSTS=ON -DCURL_DISABLE_NETRC=ON \
    -DCURL_DISABLE_COOKIES=ON -DCURL_DISABLE_NTLM=ON -DCURL_DISABLE_KERBEROS_AUTH=ON -DCURL_DISABLE_NEGOTIATE_AUTH=ON -DCURL_CA_BUNDLE=none -DCURL_CA_PATH=none \
    -DCMAKE_C_FLAGS="-fPIE -O2 -fstack-protector-strong -fcf-protection=full -ffunction-sections -fdata-sections -ffile-prefix-map=$work=. -ffile-prefix-map=$prefix=."
cmake --build "$work/build"
cmake --install "$work/build"
echo "curl $version" >> "$prefix/versions"
