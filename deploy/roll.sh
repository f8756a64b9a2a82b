#!/usr/bin/env bash
# Replace all replicas by new ones, of the image that SERVER_IMAGE names now, without a lost call. Compose by itself
# would recreate them all at once. COMPOSE_FILE and COMPOSE_PROJECT_NAME are heeded, as by `docker compose`.
set -euo pipefail
cd "$(dirname "$0")/.."

# Compose counts those that were stopped as replicas, too: it would start them again in the place of new ones.
docker compose rm --force server >/dev/null

mapfile -t old < <(docker compose ps -q server)
count=${#old[@]}
if [ "$count" = 0 ]; then
    echo "no server runs: start with docker compose up -d --wait" >&2
    exit 1
fi

# Stopping takes as long as stop_grace_period allows: replicas first drain.
leave() { docker stop "$1" >/dev/null && docker rm "$1" >/dev/null; }

scale() { docker compose up -d --no-deps --no-recreate --wait --wait-timeout "${ROLL_SECONDS:-180}" --scale "server=$1" server; }

if ! scale $((2 * count)); then
    echo "the new replicas did not become healthy: they are removed, and the old ones go on" >&2
    for id in $(docker compose ps -aq server); do
        case " ${old[*]} " in *" $id "*) ;; *) leave "$id" ;; esac
    done
    exit 1
fi
for id in "${old[@]}"; do
    leave "$id"
done
echo "$count new replicas serve"
