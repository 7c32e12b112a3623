#!/usr/bin/env bash
# Installs what the end-to-end tests need, into .world/ at the top of the repository:
#
#   anvil       the local chain                      .world/anvil/
#   sdk-v2      the official x402 SDK, v2             .world/sdk-v2/
#   sdk-v1      the official x402 SDK, v1             .world/sdk-v1/
#   clients     the vendors' own clients             .world/clients/
#   promtool    unless the PATH has one               .world/prometheus/
#   nginx       unless the PATH has one               .world/nginx/
#
# It needs python3 (3.11 or later), npm, and apt where promtool or nginx is missing. It may be run
# again: when nothing changed it does nothing.
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
    "$here"/clients/package*.json "$here"/clients/no-wagmi/package.json | sha256sum
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

# The venv is for one SDK alone: its dependencies do not agree with ours.
install_sdk() {
  local version="$1" venv="$world/sdk-$1"
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    --requirement "$here/sdk/seller-$version.txt"
  "$venv/bin/python" -m pip check
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

install_promtool() {
  if command -v promtool; then
    return
  fi
  unpack "$world/prometheus" prometheus
  "$world/prometheus/usr/bin/promtool" --version
}

# With the library that a bare machine may lack.
install_nginx() {
  if command -v nginx; then
    return
  fi
  unpack "$world/nginx" nginx libpcre2-8-0
  LD_LIBRARY_PATH="$(echo "$world"/nginx/usr/lib/*-linux-gnu)" "$world/nginx/usr/sbin/nginx" -v
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
start promtool install_promtool
start nginx install_nginx
await_all
fingerprint >"$stamp"
echo "the test world is installed in .world/"
