# shellcheck shell=bash
# mlflow.sh: a real MLflow server on loopback for a script. Sourced, after common.sh.
#
#   mlflow_start VENV FOLDER [SERVER ARGUMENT...]   a new SQLite server with its files in FOLDER; sets mlflow_port
#   mlflow_stop                                     ends all of them; also for the caller's EXIT trap, safe to call twice
#   free_port, get URL                              a port that was free a moment ago; the text at a URL

mlflow_pids=()
mlflow_port=

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# The text at a URL; fails where there is none.
get() {
    python3 -c 'import sys, urllib.request as r; print(r.urlopen(sys.argv[1], timeout=5).read().decode())' "$1"
}

mlflow_start() {
    local venv=$1 folder=$2
    shift 2
    mkdir -p "$folder"
    mlflow_port=$(free_port)
    # a session of its own, so that its workers end with it
    MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true MLFLOW_TRACKING_URI='' MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false \
        PATH="$venv/bin:$PATH" setsid "$venv/bin/mlflow" server --host 127.0.0.1 --port "$mlflow_port" --workers 1 \
        --backend-store-uri "sqlite:///$folder/mlflow.db" --artifacts-destination "$folder/artifacts" "$@" \
        > "$folder/server.log" 2>&1 < /dev/null &
    local pid=$!
    mlflow_pids+=("$pid")
    for _ in $(seq 300); do
        if get "http://127.0.0.1:$mlflow_port/health" > /dev/null 2>&1; then
            return 0
        fi
        kill -0 "$pid" 2> /dev/null || break
        sleep 0.2
    done
    tail -n 20 "$folder/server.log" >&2
    die "the MLflow server did not start"
}

mlflow_stop() {
    local pid
    for pid in "${mlflow_pids[@]}"; do
        kill -TERM -- "-$pid" 2> /dev/null || true
        wait "$pid" 2> /dev/null || true
        kill -KILL -- "-$pid" 2> /dev/null || true
    done
    mlflow_pids=()
}
