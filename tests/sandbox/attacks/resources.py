"""Attacks that take: processes, memory, disk, inodes, output, CPU."""

from tests.sandbox.attacks.attack import Attack, Escape, Seen, more_than, shapes

COUNT_PROCESSES = "set -- /proc/[0-9]*; echo processes: $#"
_PLACES = "/tmp /home/agent /run /usr/local /srv /dev/shm /dev/mqueue"
_HELD = "echo held: $(cat /proc/[0-9]*/status 2>/dev/null | awk '/^RssAnon/ { kb += $2 } END { print int(kb / 1024) }')"
# USER_HZ is 100; the shell itself may be starved: by the clock of the kernel, not by counting sleeps
_SPENT = "now() { cat /proc/[0-9]*/stat 2>/dev/null | awk '{ t += $14 + $15 } END { print t }'; cut -d' ' -f1 /proc/uptime; }"
_SHARE = "set -- $(now) $(sleep 2; now); echo cores: $(echo $1 $2 $3 $4 | awk '{ print ($3 - $1) / 100 / ($4 - $2) }')"


def _too_much(limits: dict[str, float], unit: str) -> Escape:
    """The directories whose printed amount, `directory: amount`, is above the limit."""

    def escape(seen: Seen) -> str:
        over = [f"{path} {seen.printed[path]}" for path, limit in limits.items() if float(seen.printed.get(path, 0)) > limit]
        return f"{', '.join(over)} {unit}" if over else ""

    return escape


def _floods_us(seen: Seen) -> str:
    if seen.grown_mb > 100:
        return f"our process grew by {seen.grown_mb:.0f} MB"
    return f"{len(seen.output)} characters came through" if len(seen.output) > 6000 * len(seen.turns) else ""


def _fill(command: str, measure: str) -> str:
    """Fill every directory, and leave all full; the agent's own ones are made writable first."""
    return f"for d in {_PLACES}; do chmod u+w $d; cd $d || continue; {command}; echo $d: $({measure}); done 2>/dev/null; cd"


_MEGABYTES = {"/tmp": 16.0, "/home/agent": 32.0, "/run": 1.0, "/usr/local": 8.0, "/srv": 8.0, "/dev/shm": 1.0, "/dev/mqueue": 0.1}
_INODES = {**dict.fromkeys(_MEGABYTES, 8192.0), "/dev/shm": 1024.0, "/dev/mqueue": 256.0}
_NO_SUM = "memory is limited per process, not in sum"

ATTACKS = [
    Attack(
        "fork bomb",
        ("b() { b | b & }; b 2>/dev/null", COUNT_PROCESSES, "sleep 1", COUNT_PROCESSES),
        more_than(72, "processes", "processes"),
    ),
    Attack(
        "processes that stay, up to the limit",
        (
            "while :; do sleep 100 & done 2>/dev/null",
            COUNT_PROCESSES,
            "ls",
            "while :; do (while :; do sleep 1 & done) & done",
            COUNT_PROCESSES,
        ),
        more_than(72, "processes", "processes"),
    ),
    Attack("memory hog: a child", ("tail /dev/zero", "echo alive"), lambda seen: "" if "alive" in seen.output else "the session died"),
    Attack(
        "memory hog: the shell itself",
        ("x=xxxxxxxx; while :; do x=$x$x; done", "echo alive"),
        shapes=shapes("gone:137 - 7", "gone:139 - 7", "ready ready - 7"),
        timeout_s=10.0,
    ),
    Attack(
        "memory hog: many processes of 60 MB",
        ("for i in 1 2 3 4 5 6; do (head -c 60000000 /dev/zero; sleep 6) | tail -n 1 >/dev/null & done; sleep 2", _HELD),
        more_than(128, "held", "MB held"),
        weak={"bwrap": _NO_SUM, "bwrap_one_user": _NO_SUM},
        timeout_s=10.0,
    ),
    Attack(
        "disk fill in every directory at once",
        (
            _fill("head -c 100000000 /dev/zero >filler", "echo $(stat -c %s filler || echo 0) 1048576 | awk '{ print $1 / $2 }'"),
            "ls ~ >/tmp/x; echo alive",
        ),
        _too_much(_MEGABYTES, "MB"),
        timeout_s=20.0,
    ),
    Attack(
        "inode fill in every directory at once",
        (_fill("seq 12000 | xargs -n 4000 touch", "ls | wc -l"), "ls / >/dev/null; echo alive"),
        _too_much(_INODES, "files"),
        weak={"bwrap": "no limit on inodes", "bwrap_one_user": "no limit on inodes"},
        timeout_s=30.0,
    ),
    Attack(
        "a file without end in a folder that is not there",
        ("exec 7>~/unseen; rm ~/unseen; head -c 100000000 /dev/zero >&7; echo deleted: $(stat -Lc %s /proc/self/fd/7)",),
        more_than(32 << 20, "deleted", "bytes"),
        timeout_s=10.0,
    ),
    Attack("endless output, foreground", ("yes", "echo alive"), _floods_us, shapes("ready/flood ready - 7")),
    Attack(
        "endless output, background",
        ("yes & yes & sleep 1", "echo alive", "echo alive"),
        _floods_us,
        shapes("ready/flood( ready(/flood)?){2} - 7"),
    ),
    Attack(
        "endless output that ignores signals",
        ("trap '' INT TERM PIPE; (while :; do echo; done) & (while :; do echo y; done)", "echo alive"),
        _floods_us,
        shapes("ready/flood ready - 7"),
        timeout_s=10.0,
    ),
    Attack(
        "CPU spin beside a neighbour",
        (f"{_SPENT}; for i in 1 2 3 4 5 6 7 8; do while :; do :; done & done; {_SHARE}",),
        more_than(0.33, "cores", "cores of 0.25"),
        weak={"bwrap": "no share of CPU", "bwrap_one_user": "no share of CPU"},
        settings={"cpus": 0.25},
        timeout_s=20.0,
        needs_core=True,
    ),
]
