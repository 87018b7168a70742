#!/usr/bin/env bash
# Installs the programs that `npm run bench` compares with (Debian and its relatives). Rows without their peer say so.
# None of them is started as a service. Needs root.
set -euo pipefail

missing=()
need() { [ -e "$1" ] || missing+=("$2"); }
need /usr/bin/prometheus-alertmanager prometheus-alertmanager
need /usr/bin/prometheus-node-exporter prometheus-node-exporter
need /usr/sbin/zabbix_agent2 zabbix-agent2
need /usr/sbin/netdata netdata-core
[ "${#missing[@]}" -eq 0 ] && exit

echo "installing: ${missing[*]}"
# Debian asks this file whether an installed service may start.
if [ ! -e /usr/sbin/policy-rc.d ]; then
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod +x /usr/sbin/policy-rc.d
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
