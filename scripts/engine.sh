#!/bin/sh
# Makes sure that episodes have somewhere to be played: a container engine that answers, else bubblewrap.
# Quiet and idempotent where one of them is there; installs only as root, only by apt-get, and says what before it does.
# PYTHON (default .venv/bin/python, if it is there) looks for engines exactly as the sandbox does. Fails only if neither serves.
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
PYTHON=${PYTHON:-$here/.venv/bin/python}
WAIT_S=60
FIND='from sekft.sandbox.backend import engine; found = engine.find(); print(f"{found.name} {found.version} at {found.host}")'
say() { printf 'engine: %s\n' "$*"; }
has() { command -v "$1" >/dev/null 2>&1; }

# prints who answers
answers() {
 if [ -x "$PYTHON" ] && (cd "$here" && "$PYTHON" -c 'import sekft.sandbox.backend.engine') 2>/dev/null; then
  (cd "$here" && "$PYTHON" -c "$FIND") 2>/dev/null
 elif has docker; then
  timeout 5 docker version --format 'Engine {{.Server.Version}}' 2>/dev/null
 else
  return 1
 fi
}

walled() { has bwrap && bwrap --unshare-all --ro-bind / / --dev /dev true 2>/dev/null; }

install_missing() {
 wanted=
 has bwrap || wanted="$wanted bubblewrap"
 # an engine that was named, here or elsewhere, is not replaced by one of our own
 [ -n "${DOCKER_HOST:-}" ] || has dockerd || has podman || wanted="$wanted docker.io ca-certificates"
 [ "$wanted" ] || return 0
 if [ "$(id -u)" != 0 ] || ! has apt-get; then
  say "not installed:$wanted (needs root and apt-get: sudo apt-get install$wanted)"
  return 0
 fi
 say "installing by apt-get:$wanted"
 export DEBIAN_FRONTEND=noninteractive
 # one by one: bubblewrap alone is enough
 for package in $wanted; do
  apt-get install -y -q --no-install-recommends "$package" >"$log.apt" 2>&1 ||
   { apt-get update -q >>"$log.apt" 2>&1 && apt-get install -y -q --no-install-recommends "$package" >>"$log.apt" 2>&1; } ||
   say "apt-get did not install $package: $(grep '^E:' "$log.apt" | head -n 1) (see $log.apt)"
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
   say "starting dockerd (log: $log)"
   # of a dockerd that was killed: with them a new one refuses to start
   rm -f /var/run/docker.pid /var/run/docker/containerd/containerd.pid
   mountpoint -q /sys/fs/cgroup || mount -t cgroup2 none /sys/fs/cgroup 2>/dev/null
   setsid dockerd >"$log" 2>&1 </dev/null &
  fi
 fi
 await && return 0
 # hosts that allow neither iptables nor bridges: no episode has a network anyway
 if [ ! -d /run/systemd/system ] && ! dockerd_runs; then
  rm -f /var/run/docker.pid /var/run/docker/containerd/containerd.pid
  setsid dockerd --iptables=false --ip6tables=false --bridge=none >>"$log" 2>&1 </dev/null &
  await && return 0
 fi
 say "dockerd does not answer: $(tail -n 1 "$log" 2>/dev/null)"
 return 1
}

# until it answers, dies, or WAIT_S are over
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
 say "$found"
 exit 0
fi
install_missing
if start_dockerd && found=$(answers); then
 say "$found"
elif walled; then
 say "no container engine: episodes run in bubblewrap (sandbox=bwrap)"
else
 say "neither a container engine answers nor does bubblewrap work: install one of them, or allow user namespaces"
 exit 1
fi
