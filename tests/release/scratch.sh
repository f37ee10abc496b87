#!/bin/bash
# scratch.sh: the root of Dockerfile.scratch, without a container engine. By chroot, as the image's numeric user, as process
# 1 of a namespace, the release binary reads a real MLflow server whose name it resolves by hosts file and by DNS (c-ares),
# and as a daemon ends at once when asked to. All of it without any network but loopback (S4.7).
. "$(dirname "$0")/../../ci/common.sh"
. "$(dirname "$0")/../../ci/mlflow.sh"

if [ "$(id -u)" -ne 0 ] || ! unshare --net --pid --fork true; then
    echo "chroot, a process and a network namespace need root"
    exit 77
fi
if [ -z "${VW_ALONE:-}" ]; then
    ci/venv main > /dev/null
    VW_ALONE=1 exec unshare --net tests/release/scratch.sh
fi
ip link set lo up
work=$(mktemp -d)
dns_pid='' daemon_pid='' agent_pid=''
cleanup() {
    mlflow_stop
    # unshare's child outlives it: chroot changed the user
    for pid in $agent_pid $daemon_pid $dns_pid; do
        kill -KILL "$pid" 2> /dev/null || true
        wait "$pid" 2> /dev/null || true
    done
    rm -rf "$work"
}
trap cleanup EXIT

root=$work/root
venv=$(ci/venv main)
user=$(awk '$1 == "USER" { print $2 }' Dockerfile.scratch)
entry=$(sed -nE 's/^ENTRYPOINT \["([^"]+)"\]$/\1/p' Dockerfile.scratch)
mapfile -t environment < <(sed -n 's/^ENV //p' Dockerfile.scratch)
chmod 0755 "$work"
ci/scratch-root "$root"
chown "$user" "$root/var/lib/vw-agent"
echo '127.0.0.1 localhost by-hosts.test' > "$root/etc/hosts"
echo 'nameserver 127.9.9.9' > "$root/etc/resolv.conf"

mlflow_start "$venv" "$work/mlflow" --allowed-hosts 'localhost:*,127.0.0.1:*,by-hosts.test:*,by-dns.test:*'
"$venv/bin/python" tests/python/demo_registry.py seed "http://127.0.0.1:$mlflow_port"
"$venv/bin/python" tests/release/dns.py 127.9.9.9 by-dns.test > "$work/dns.log" 2>&1 &
dns_pid=$!
for _ in $(seq 100); do
    ! grep -q ready "$work/dns.log" || break
    sleep 0.1
done

listen=127.0.0.1:$(free_port)

# What a container engine does: the image's root, user, environment and entry point.
in_image() {
    local host=$1
    shift
    exec env -i "${environment[@]}" MLFLOW_TRACKING_URI="http://$host:$mlflow_port" \
        VW_LISTEN="$listen" unshare --pid --fork --kill-child "$(command -v chroot)" --userspec="$user" --groups= "$root" "$entry" "$@"
}

for host in localhost by-hosts.test by-dns.test; do
    say "sync from $host"
    (in_image "$host" sync)
    (in_image "$host" inventory --format json) > "$work/inventory.json"
    "$venv/bin/python" tests/python/demo_registry.py compare "http://127.0.0.1:$mlflow_port" "$work/inventory.json"
    (in_image "$host" audit verify)
    find "$root/var/lib/vw-agent" -mindepth 1 -delete
done

say "a name that nobody knows"
if (in_image nobody-knows.test sync) > "$work/unknown" 2>&1; then
    die "a sync from an unknown host succeeded"
fi
cat "$work/unknown"
grep -q nobody-knows.test "$work/unknown" || die "the error does not name the host"
find "$root/var/lib/vw-agent" -mindepth 1 -delete

say "as a daemon"
(in_image localhost run) 2> "$work/daemon.log" &
daemon_pid=$!
for _ in $(seq 200); do
    ! grep -q 'event=sync_finished' "$work/daemon.log" || break
    sleep 0.1
done
cat "$work/daemon.log" >&2
grep -q 'event=sync_finished .*outcome=ok' "$work/daemon.log" || die "the daemon did not sync"
agent_pid=$(tr -d ' ' < "/proc/$daemon_pid/task/$daemon_pid/children")
get "http://$listen/readyz"
get "http://$listen/metrics" > "$work/metrics"
grep -E "^[a-z_]+ [0-9]" "$work/metrics"
status=$(cat "/proc/$agent_pid/status")
for line in "NSpid:.*[[:space:]]1" "Uid:([[:space:]]${user%:*}){4}" "Gid:([[:space:]]${user#*:}){4}" "Groups:[[:space:]]*" \
    "CapEff:[[:space:]]0+"; do
    grep -qE "^$line\$" <<< "$status" || die "the process is not as it should be: $line"
done
from=$(date +%s%N)
kill -TERM "$agent_pid"
code=0
wait "$daemon_pid" || code=$?
daemon_pid=
took=$((($(date +%s%N) - from) / 1000000))
echo "ended with $code after $took ms" >&2
if [ "$code" -ne 0 ] || [ "$took" -gt 3000 ]; then
    die "the daemon did not end well on SIGTERM"
fi
