# The trusted process inside one bwrap session: control.sh SESSION_S PIDS DATA_KB HOME_KB DROP
# Descriptors: 0 requests, 1 replies, 3 commands of the shell, 4 its output, 5 output of the checker. A request is
# "command nonce size word word", then size bytes; its reply is "nonce status". The session ends with the requests: their writer is gone.
exec 2>/dev/null 6>&- 7<&- 8<&- 9<&-
umask 022
session_s=$1 pids=$2 data_kb=$3 home_kb=$4 drop=$5

limits() {
 ulimit -c 0
 ulimit -n 256
 ulimit -p $pids
 ulimit -d $data_kb
 ulimit -f $((home_kb * 2))
 ulimit -t $session_s
}

[ -z "$drop" ] || chown 1000:1000 /home/agent
touch -d @1700000000 /tmp /run
# restarted whenever a signal may have hit its sleep; the deadline stays the same
watch() {
 read -r now _ </proc/uptime
 ( sleep $((end - ${now%.*})) && kill -9 $$ ) </dev/null >/dev/null 3<&- 4>&- 5>&- &
 watchdog=$!
}
read -r now _ </proc/uptime
end=$((${now%.*} + session_s))
watch
echo ready
while read -r command nonce size one two; do
 case $command in
 root) head -c $size | tar -x -p --no-same-owner -C / ;;
 agent) head -c $size | $drop tar -x -p --no-same-owner -C / ;;
 session)
  script=$(head -c $size)
  ( limits; exec $drop /bin/sh -c "$script" <&3 >&4 3<&- 4>&- 5>&- ) &
  shell=$!
  exec 3<&- 4>&- ;;
 signal)
  # sent by this process, because the agent could stop or kill a process of its own user
  script=$(head -c $size)
  /bin/sh -c "$script" sh $one $two "$$ $watchdog" </dev/null >/dev/null 3<&- 4>&- 5>&-
  kill -9 $watchdog
  watch ;;
 code)
  state=
  [ ! -r /proc/$shell/stat ] || state=$(sed 's/.*) //; s/ .*//' /proc/$shell/stat)
  case $state in
  ''|Z) wait $shell ;;
  *) nonce="$nonce running" ;;
  esac ;;
 check)
  # everything but this process; the agent cannot prevent it
  kill -9 -1
  # no watchdog where it would be a process of the agent's user: the checker sees its own processes only
  [ -z "$drop" ] || watch
  script=$(head -c $one)
  head -c $((size - one)) | ( limits; exec $drop /bin/sh -c "$script" >&5 5>&- ) ;;
 esac
 echo "$nonce $?"
done
