# The trusted end of one bwrap life: control.sh LIFE_S PIDS DATA_KB HOME_KB DROP
# 0 requests, 1 replies, 3 session commands, 4 session output, 5 checker output. A request is "verb nonce size word word",
# then size bytes; its reply is "nonce status". End of requests is end of the life: whoever held the pipe is gone.
exec 2>/dev/null 6>&- 7<&- 8<&- 9<&-
umask 022
life=$1 pids=$2 data_kb=$3 home_kb=$4 drop=$5

limits() {
 ulimit -c 0
 ulimit -n 256
 ulimit -p $pids
 ulimit -d $data_kb
 ulimit -f $((home_kb * 2))
 ulimit -t $life
}

[ -z "$drop" ] || chown 1000:1000 /home/agent
touch -d @1700000000 /tmp /run
# started anew whenever its sleep may have been hit; the end of the life stays where it was
watch() {
 read -r now _ </proc/uptime
 ( sleep $((end - ${now%.*})) && kill -9 $$ ) </dev/null >/dev/null 3<&- 4>&- 5>&- &
 watchdog=$!
}
read -r now _ </proc/uptime
end=$((${now%.*} + life))
watch
echo ready
while read -r verb nonce size one two; do
 case $verb in
 root) head -c $size | tar -x -p --no-same-owner -C / ;;
 agent) head -c $size | $drop tar -x -p --no-same-owner -C / ;;
 session)
  script=$(head -c $size)
  ( limits; exec $drop /bin/sh -c "$script" <&3 >&4 3<&- 4>&- 5>&- ) &
  shell=$!
  exec 3<&- 4>&- ;;
 signal)
  # by us, not by the agent: what it stops or kills as fast as it can cannot help against it
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
  # all but us, who call: the agent has no say in it
  kill -9 -1
  # where we are the agent's user, the checker sees no process but its own
  [ -z "$drop" ] || watch
  script=$(head -c $one)
  head -c $((size - one)) | ( limits; exec $drop /bin/sh -c "$script" >&5 5>&- ) ;;
 esac
 echo "$nonce $?"
done
