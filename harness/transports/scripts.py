"""What a board's own shell is told: POSIX sh, understood by dash, bash, busybox, toybox and mksh alike.

A script takes all that varies as its parameters, leaves its exit status in `status`, and sets `late` where its
deadline ended it. Nothing is ever written into the text of a script but words that `shlex` has quoted.
"""

from __future__ import annotations

# Runs "$@" in a session of its own, for `deadline` seconds at most. What is left of the session is killed at its end:
# the group first, which no fork escapes, then the groups that its members made. A watchdog sleeps beside it, because
# `timeout` is not everywhere and busybox's kills no children. It belongs to the command's own group, whose number can
# therefore become nobody else's, and wakes whoever waits only where that is still the parent of the group's leader: a
# killed one's number may be another process's by then. A shell gives its background jobs /dev/null as their input,
# hence descriptor 3.
GUARDED = r"""
parent='parent() { read -r words <"/proc/$1/stat" && set -- ${words##*) } && echo "$2"; } 2>/dev/null'
beside="$parent"'
watch() {
  trap "" HUP INT QUIT TERM
  sleep "$1"
  [ "$(parent $$)" != "$2" ] || kill -s USR1 "$2"
  kill -s KILL 0
}
(watch "$1" "$2" </dev/null >/dev/null 2>&1 &)
shift 2
exec "$@"'
strays() { grep -lsE "^[0-9]+ \(.*\) [^ZXx] -?[0-9]+ -?[0-9]+ $1 " /proc/[0-9]*/stat; }
sweep() {
  for again in 1 2 3; do
    kill -s KILL -- "-$1" 2>/dev/null
    found=$(strays "$1")
    [ -n "$found" ] || return 0
    for one in $found; do one=${one#/proc/}; kill -s KILL "${one%/stat}" 2>/dev/null; done
  done
}
guarded() {
  late=0
  exec 3<&0
  trap 'late=1; kill -s KILL -- "-$pid"' USR1
  setsid sh -c "$beside" sh "$deadline" $$ "$@" <&3 3<&- 4<&- & pid=$!
  { wait $pid; status=$?; } 2>/dev/null
  [ $late = 0 ] || status=137
  sweep $pid
}
"""

# deadline, command...
RUN = (
    GUARDED
    + r"""
deadline=$1; shift
guarded "$@"
"""
)

# The file `status` is made before there is anything to say and written in place: a disk that is full by then can
# neither lose nor cut off the answer. Until then it names the process that will give it. That one alone holds the pipe
# `ended` open, so that whoever waits at its other end is woken by its end, be it a kill. What the command says goes
# through the pipe `words`, whose reader keeps the first 3.9 MB (7600 blocks of 512) and the last 64 KiB: an engine that
# floods its log must not fill the disk of the board. `head` would hold back what it read. A child that left the session
# may hold that pipe open, and is waited for 2 s.
SUPERVISE = (
    GUARDED
    + r"""
keep='{ (ulimit -c 0; ulimit -f 7600; exec cat); } 2>/dev/null
last=$(tail -c 65536 | tr -d "\\000")
[ -z "$last" ] || printf "\\n... the middle is cut out ...\\n%s\\n" "$last"'
heard() {
  exec >/dev/null 2>&1
  setsid sh -c "$parent"'; sleep 2; [ "$(parent "$1")" != "$2" ] || kill -s KILL -- "-$1"' \
    sh "$1" $$ </dev/null 4<&- & dog=$!
  wait "$1"
  kill -s KILL -- "-$dog"
}
deadline=$1; shift
trap '' HUP
say() { printf '%-20s\n' "$1" 1<>status; sync status; } 2>/dev/null
[ ! -p ended ] || exec 4<>ended
say "- $$"
keeper=
if mkfifo words 2>/dev/null; then
  setsid sh -c "$keep" <words 4<&- & keeper=$!
  exec >words 2>&1
fi
guarded "$@"
[ -z "$keeper" ] || heard $keeper
say "$status"
"""
)

# folder, script, its parameters...
SPAWN = r"""
started() {
  command -v setsid >/dev/null || { echo "setsid: not found" >&2; return 127; }
  cd "$1" && printf '%-20s\n' - >status && : >worker.log || return 1
  rm -f ended words; mkfifo ended 2>/dev/null
  shift
  setsid sh -c "$@" </dev/null >worker.log 2>&1 &
  # Not before it is in its session: what ends the link may end all that still belongs to it.
  left=100
  while [ $left -gt 0 ]; do
    read -r state pid <status
    [ "$state$pid" = - ] || return 0
    left=$((left - 1)); sleep 0.05 2>/dev/null || sleep 1
  done
  cat worker.log >&2
  return 1
}
umask 077
started "$@"; status=$?
"""

# folder, first byte of the journal (from 1), bytes at most, seconds. It leaves word that somebody still asks. What said
# nothing and is gone was killed. Where there are no pipes it looks once a second, which costs more than to sleep: every
# `sleep` is a process.
POLL = r"""
look() { state=; pid=; { read -r state pid <"$1/status"; } 2>/dev/null; state=${state:--}; }
runs() {
  look "$1"; [ "$state" = - ] || return 1
  if [ -z "$pid" ] || kill -s 0 "$pid" 2>/dev/null; then return 0; fi
  look "$1"; [ "$state" != - ] || state=137
  return 1
}
doze() {
  sleep "$2" </dev/null >/dev/null 2>&1 & nap=$!
  { read -r end <"$1/ended"; kill -s KILL $nap; } </dev/null >/dev/null 2>&1 & reader=$!
  { wait $nap; kill -s KILL $reader; wait $reader; } 2>/dev/null
}
left=$4
{ echo $$ >"$1/polled"; } 2>/dev/null
while runs "$1" && [ "$left" -gt 0 ]; do
  if [ -p "$1/ended" ]; then doze "$1" "$left"; left=0; else sleep 1; left=$((left - 1)); fi
done
read -r boot_id </proc/sys/kernel/random/boot_id
printf '%s %s\n' "$boot_id" "$state"
[ ! -f "$1/journal" ] || tail -c "+$2" "$1/journal" | head -c "$3"
status=0
"""

# Makes a file that is wholly there the target: folder, part, target, bytes. What it says when nobody listens any more
# must not end it before it has cleaned up, hence the trap.
PUBLISH = r"""
trap '' PIPE
publish() {
  [ ! -d "$3" ] || { echo "$3 is a folder" >&2; return 1; }
  [ "$(wc -c <"$2")" -eq "$4" ] || { echo "$3 was cut off on its way" >&2; return 1; }
  chmod 600 "$2" || return 1
  sync "$2" 2>/dev/null
  mv -f "$2" "$3" || return 1
  sync "$1" 2>/dev/null
  return 0
}
publish "$@"; status=$?
[ $status = 0 ] || rm -f "$2"
"""

# Its input as a part of that kind: folder, part.
RECEIVE = r"""
umask 077
trap '' PIPE
mkdir -p "$1" && cat >"$2"; status=$?
[ $status = 0 ] || rm -f "$2"
"""

PUT = f"{RECEIVE}\n[ $status != 0 ] || {{\n{PUBLISH}\n}}\n"

# Its size: file.
SIZE = r"""
measured() { [ -f "$1" ] || { echo "$1: no such file" >&2; return 1; }; wc -c <"$1"; }
measured "$1"; status=$?
"""

# Its size, then its bytes: file. It may grow meanwhile.
GET = r"""
given() {
  [ -f "$1" ] || { echo "$1: no such file" >&2; return 1; }
  size=$(wc -c <"$1") && echo $size && head -c "$size" "$1"
}
given "$1"; status=$?
"""

# folder
FOLDER = r"""
umask 077
mkdir -p "$1"; status=$?
"""

# file
REMOVE = r"""
rm -f "$1"; status=$?
"""
