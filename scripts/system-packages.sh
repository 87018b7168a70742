#!/usr/bin/env bash
# Installs the system packages that some tests need (Debian and its relatives) and starts a Docker engine.
# Without them those tests are skipped, with the reason; in CI they fail. Needs root.
set -euo pipefail

missing=()
need() { command -v "$1" >/dev/null 2>&1 || [ -e "$1" ] || missing+=("$2"); }
need dockerd docker.io
need nats-server nats-server
need prometheus prometheus
need /usr/lib/nagios/plugins/check_load monitoring-plugins-basic
need busybox busybox-static
need faketime faketime
need openssl openssl
need prometheus-alertmanager prometheus-alertmanager
if [ "${#missing[@]}" -gt 0 ]; then
  echo "installing: ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi

answers() { [ -S /var/run/docker.sock ] && curl -sf --max-time 5 --unix-socket /var/run/docker.sock http://docker/_ping >/dev/null; }
if ! answers; then
  echo "starting a Docker engine"
  log=$(mktemp --suffix=-dockerd.log)
  nohup dockerd >"$log" 2>&1 </dev/null &
  for _ in $(seq 60); do
    answers && break
    sleep 0.5
  done
  answers || { echo "the Docker engine did not come up:"; tail -20 "$log"; exit 1; }
fi
