# shellcheck shell=bash
# fleet.sh: the part of ci/demo with a controller: two organizations, each with an agent and an MLflow server of its own.
# Sourced by ci/demo, which has set up the first server and the agent's state.
# shellcheck disable=SC2154  # agent_path is the demo's, mlflow_port is mlflow.sh's

controller_path=build/release/controller/commands/vw-controller
controller_pid=
agent_pids=()

# Runs the controller's command line as an operator would, and shows it.
controller() {
    printf '\n$ vw-controller %s\n' "$*"
    "$controller_path" --config build/demo/controller.yaml "$@"
}

# The same without showing it: for what a script reads.
ask() {
    "$controller_path" --config build/demo/controller.yaml "$@"
}

controller_start() {
    "$controller_path" --config build/demo/controller.yaml serve > build/demo/controller.log 2>&1 &
    controller_pid=$!
    for _ in $(seq 100); do
        if [ -S build/demo/controller/control.sock ] && ask org list > /dev/null 2>&1; then
            return 0
        fi
        kill -0 "$controller_pid" 2> /dev/null || break
        sleep 0.1
    done
    tail -n 20 build/demo/controller.log >&2
    die "the controller did not start"
}

controller_stop() {
    [ -n "$controller_pid" ] || return 0
    kill -TERM "$controller_pid" 2> /dev/null || true
    wait "$controller_pid" 2> /dev/null || true
    controller_pid=
}

fleet_stop() {
    local pid
    for pid in "${agent_pids[@]}"; do
        kill -TERM "$pid" 2> /dev/null || true
        wait "$pid" 2> /dev/null || true
    done
    agent_pids=()
    controller_stop
    mlflow_stop
}

# enroll ORGANIZATION STATE: with a token that nobody sees.
enroll() {
    printf '\n$ vw-controller token create --organization %s | vw-agent enroll %s --token-file -\n' "$1" "$fleet_url"
    ask token create --organization "$1" 2> /dev/null | VW_STATE_DIR=$2 "$agent_path" enroll "$fleet_url" --token-file -
}

# agent_start STATE MLFLOW_PORT: the daemon.
agent_start() {
    VW_STATE_DIR=$1 MLFLOW_TRACKING_URI=http://127.0.0.1:$2 VW_LISTEN=off "$agent_path" run > "$1.log" 2>&1 &
    agent_pids+=($!)
}

# agent_id ORGANIZATION
agent_id() {
    ask agents list --organization "$1" --format ndjson |
        python3 -c 'import json, sys; print(json.loads(sys.stdin.readline())["agent_id"])'
}

# Until all that an agent has is stored at the controller.
caught_up() {
    for _ in $(seq 200); do
        if [ "$(ask agents show "$(agent_id "$1")" --organization "$1" --format json | python3 -c '
import json, sys
agent = json.load(sys.stdin)
print(bool(agent["presence"]["connected"]) and int(agent["sequence"] or 0) >= int(agent["presence"]["last_sequence"] or 1))')" = True ]; then
            return 0
        fi
        sleep 0.1
    done
    die "the agent of organization $1 did not catch up; see build/demo"
}

# rest PATH: what a program would ask for, with its Bearer token.
rest() {
    # shellcheck disable=SC2016  # shown as a person would type it
    printf '\n$ curl -H "Authorization: Bearer $TOKEN" %s%s\n' "$fleet_url" "$1"
    python3 - "$fleet_url$1" "$rest_token" << 'PY'
import json, ssl, sys, urllib.request
context = ssl.create_default_context(cafile="build/demo/controller/authority/ca.pem")
request = urllib.request.Request(sys.argv[1], headers={"Authorization": "Bearer " + sys.argv[2]})
answer = json.load(urllib.request.urlopen(request, timeout=10, context=context))
for row in answer["data"]["items"]:
    print("  {model_name:24} {version_number:>3}  {stage:12} {status:10} {owner}".format(**{k: v or "-" for k, v in row.items()}))
PY
}

fleet_demo() {
    local venv=$1 first_port=$2 first_state=$3 second_state=$PWD/build/demo/second-state sessions https second_port id
    rm -rf build/demo/controller build/demo/mlflow-second "$second_state"
    sessions=$(free_port) https=$(free_port)
    fleet_url=https://127.0.0.1:$https
    cat > build/demo/controller.yaml << YAML
data_dir: $PWD/build/demo/controller
sessions: {listen: "127.0.0.1:$sessions", endpoint: "127.0.0.1:$sessions", maximum: 1000}
https: {listen: "127.0.0.1:$https"}
YAML

    say "a controller, with its embedded store"
    controller init
    controller_start
    controller org create "ACME Bank"
    controller org create "Second Insurance"

    say "a second MLflow server, of the second organization"
    mlflow_start "$venv" "$PWD/build/demo/mlflow-second"
    second_port=$mlflow_port
    "$venv/bin/python" tests/python/demo_registry.py seed "http://127.0.0.1:$second_port"

    say "each agent joins its organization with a token; then it streams what it has, and what comes"
    enroll 1 "$first_state"
    enroll 2 "$second_state"
    agent_start "$first_state" "$first_port"
    agent_start "$second_state" "$second_port"
    for organization in 1 2; do
        for _ in $(seq 100); do
            [ "$(ask agents list --organization $organization --format ndjson | grep -c '"connected":true')" = 1 ] && break
            sleep 0.1
        done
        controller agents command "$(agent_id $organization)" sync --depth full --wait --organization $organization > /dev/null 2>&1
        caught_up $organization
    done
    controller agents list --organization 1
    controller agents list --organization 2

    say "each organization sees its own inventory, by the REST interface"
    rest_token=$(ask users create demo --role auditor --organization 1 2> /dev/null)
    rest /api/v1/records
    rest_token=$(ask users create demo --role auditor --organization 2 2> /dev/null)
    rest "/api/v1/records?stage=Production"

    say "people change something in MLflow; the controller tells the agent to look"
    "$venv/bin/python" tests/python/demo_registry.py change "http://127.0.0.1:$second_port"
    id=$(agent_id 2)
    controller agents command "$id" sync --depth full --wait --organization 2
    caught_up 2
    rest "/api/v1/records?order=recorded&descending=true&limit=4"

    say "the controller goes away; the agent goes on by itself"
    controller_stop
    "$venv/bin/python" tests/python/demo_registry.py later "http://127.0.0.1:$second_port"
    kill -HUP "${agent_pids[1]}"
    sleep 3

    say "it comes back: nothing is missing, and the receipts verify"
    controller_start
    caught_up 2
    rest "/api/v1/records?order=recorded&descending=true&limit=4"
    controller ledger verify "$id" --organization 2
    printf '\n$ vw-controller ledger export --organization 2 > ledger.ndjson; docs/verify_ledger.py ledger.ndjson --ca ca.pem\n'
    ask ledger export --organization 2 > build/demo/ledger.ndjson
    "$venv/bin/python" docs/verify_ledger.py build/demo/ledger.ndjson --ca build/demo/controller/authority/ca.pem
    fleet_stop
}
