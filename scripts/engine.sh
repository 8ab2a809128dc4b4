#!/bin/sh
# Makes sure that a sandbox works: a container engine that answers, else bubblewrap.
# Idempotent. Installs only as root and only with apt-get, and prints what before it does. Fails only if neither works.
# PYTHON (default .venv/bin/python) looks for engines as the sandbox does; without it, docker is asked.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
PYTHON=${PYTHON:-$root/.venv/bin/python}
WAIT_S=60
FIND='from sekft.sandbox.backend import engine; answering = engine.find(); print(f"{answering.name} {answering.version} at {answering.host}")'
report() { printf 'engine: %s\n' "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }

# prints the engine that answers
answers() {
 if [ -x "$PYTHON" ] && (cd "$root" && "$PYTHON" -c 'import sekft.sandbox.backend.engine') 2>/dev/null; then
  (cd "$root" && "$PYTHON" -c "$FIND") 2>/dev/null
 elif has docker; then
  timeout 5 docker version --format 'Engine {{.Server.Version}}' 2>/dev/null
 else
  return 1
 fi
}

bwrap_works() { has bwrap && bwrap --unshare-all --ro-bind / / --dev /dev true 2>/dev/null; }

install_missing() {
 wanted=
 has bwrap || wanted="$wanted bubblewrap"
 # DOCKER_HOST names an engine: no other one is installed
 [ -n "${DOCKER_HOST:-}" ] || has dockerd || has podman || wanted="$wanted docker.io ca-certificates"
 [ "$wanted" ] || return 0
 if [ "$(id -u)" != 0 ] || ! has apt-get; then
  report "not installed:$wanted (needs root and apt-get: sudo apt-get install$wanted)"
  return 0
 fi
 report "installing by apt-get:$wanted"
 export DEBIAN_FRONTEND=noninteractive
 # one by one: bubblewrap alone is enough
 for package in $wanted; do
  apt-get install -y -q --no-install-recommends "$package" >"$log.apt" 2>&1 ||
   { apt-get update -q >>"$log.apt" 2>&1 && apt-get install -y -q --no-install-recommends "$package" >>"$log.apt" 2>&1; } ||
   report "apt-get did not install $package: $(grep '^E:' "$log.apt" | head -n 1) (see $log.apt)"
 done
}

dockerd_runs() {
 for process in /proc/[0-9]*; do
  read -r name 2>/dev/null <"$process/comm" && [ "$name" = dockerd ] || continue
  grep -q '^State:.*Z' "$process/status" 2>/dev/null || return 0
 done
 return 1
}

start_dockerd() {
 [ "$(id -u)" = 0 ] && [ -z "${DOCKER_HOST:-}" ] && has dockerd || return 1
 if ! dockerd_runs; then
  if [ -d /run/systemd/system ]; then
   systemctl start docker >/dev/null 2>&1
  else
   report "starting dockerd (log: $log)"
   # left by a killed dockerd, they keep a new one from starting
   rm -f /var/run/docker.pid /var/run/docker/containerd/containerd.pid
   mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null
   setsid dockerd >"$log" 2>&1 </dev/null &
  fi
 fi
 await && return 0
 # for hosts that allow neither iptables nor bridges; no session has a network anyway
 if [ ! -d /run/systemd/system ] && ! dockerd_runs; then
  rm -f /var/run/docker.pid /var/run/docker/containerd/containerd.pid
  setsid dockerd --iptables=false --ip6tables=false --bridge=none >>"$log" 2>&1 </dev/null &
  await && return 0
 fi
 report "dockerd does not answer: $(tail -n 1 "$log" 2>/dev/null)"
 return 1
}

# waits until dockerd answers, ends, or WAIT_S are over
await() {
 since=$(date +%s)
 while :; do
  answers >/dev/null && return 0
  sleep 0.3
  now=$(($(date +%s) - since))
  [ $now -lt $WAIT_S ] || return 1
  [ $now -lt 3 ] || dockerd_runs || return 1
 done
}

log=/var/log/sekft-dockerd.log
{ [ -d /var/log ] && [ -w /var/log ]; } || log=${TMPDIR:-/tmp}/sekft-dockerd.log

if found=$(answers); then
 has bwrap || install_missing
 report "$found"
 exit 0
fi
install_missing
if start_dockerd && found=$(answers); then
 report "$found"
elif bwrap_works; then
 report "no container engine: episodes run in bubblewrap (sandbox=bwrap)"
else
 report "neither a container engine answers nor does bubblewrap work: install one of them, or allow user namespaces"
 exit 1
fi
