#!/usr/bin/env bash
# Installs what the benchmark compares the sidecar with, into .world/bench/ at the top of the
# repository, and compiles what makes the load and answers it:
#
#   nginx, haproxy   unless the PATH has them        .world/bench/debian/
#   node             the official x402 client's      .world/bench/node/
#   litellm          in an environment of its own    .world/bench/litellm/
#   mitmproxy        in an environment of its own    .world/bench/mitmproxy/
#   load, transfer, upstream                         .world/bench/bin/
#
# A peer that cannot be had does not stop it: the table says that it is missing. It may be run
# again: what is there already stays.
set -uo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/.." && pwd)"
# npm takes a folder that is reached by a link for another package.
mkdir -p "$root/.world/bench/log"
world="$(cd "$root/.world/bench" && pwd -P)"

# A peer is there when its stamp has the fingerprint of what it was made from.
install_once() {
  local peer="$1" fingerprint
  shift
  fingerprint="$(cat "$here/install.sh" "$@" | sha256sum)"
  if [ "$fingerprint" = "$(cat "$world/log/$peer.installed" 2>/dev/null)" ]; then
    return
  fi
  rm -f "$world/log/$peer.installed"
  if (set -e; "install_$peer") >"$world/log/$peer" 2>&1; then
    echo "$fingerprint" >"$world/log/$peer.installed"
    echo "installed $peer"
  else
    echo "could not install $peer; see $world/log/$peer" >&2
  fi
}

# Unpacked and not installed: the machine's own packages stay as they are.
install_debian() {
  if command -v nginx && command -v haproxy; then
    return
  fi
  local packages="$world/debian/packages"
  rm -rf "$world/debian"
  mkdir -p "$packages"
  apt-get update || echo "apt-get update failed: trying with the lists that are here"
  (cd "$packages" && apt-get download nginx haproxy liblua5.3-0 libopentracing-c-wrapper0 \
    libopentracing1 libpcre2-8-0 libsystemd0)
  for package in "$packages"/*.deb; do
    dpkg-deb --extract "$package" "$world/debian"
  done
  rm -r "$packages"
}

install_node() {
  mkdir -p "$world/node"
  cp "$here"/peers/package*.json "$world/node/"
  npm ci --prefix "$world/node" --ignore-scripts --no-audit --no-fund
}

install_environment() {
  rm -rf "${world:?}/$1"
  "${PYTHON:-python3}" -m venv "$world/$1"
  "$world/$1/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
    --requirement "$here/peers/$1.txt"
}

install_litellm() { install_environment litellm; }
install_mitmproxy() { install_environment mitmproxy; }

# Without these nothing can be measured.
install_bin() {
  mkdir -p "$world/bin"
  for program in load transfer upstream; do
    gcc -O2 -Wall -Wextra -Werror -o "$world/bin/$program" "$here/$program.c"
  done
}

install_once debian &
install_once node "$here"/peers/package*.json &
install_once litellm "$here/peers/litellm.txt" &
install_once mitmproxy "$here/peers/mitmproxy.txt" &
install_once bin "$here"/*.c "$here"/*.h &
wait
[ -e "$world/log/bin.installed" ]
