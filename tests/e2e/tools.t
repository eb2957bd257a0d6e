#!/bin/sh
# dedupdb where it takes days, damage, many records, a terminal or a signal: tests/e2e/ledger_edit makes the first three.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"

edit() { ledger_edit "$D/L" "$@" || echo "Bail out! ledger_edit $*"; }
health() { db 0 "$1" stat; is "$(sed -n 's/^health  *//p' out)" "$2" "$1: what it says"; }	# health NAME WORDS

# Records that are older than anything at work, than the day of proof and than the window.
message 1 >m
lda <m
chmod 500 M/new
message 2 >m
lda <m
chmod 700 M/new
is "$rc" 75 'a delivery that did not finish'
health 'just now' healthy
edit age 3500
health 'an hour is not over' healthy
edit age 200
health 'after an hour' "1 unfinished: run 'dedupdb recover'"
db 0 'an age of two units' list --pending
prints '	1h 1m	' 'an age of two units'
edit age 602000
db 0 'after a week' stat
prints '^expired  *1$' 'after a week: one has expired'
exits 0 'a dry run of what was delivered a week ago' -n <m
prints '^would finish the delivery of another copy, decided at 20.*, 6[0-9]{5} s ago$' 'a pending one never expires'
message 1 >m1
exits 0 'a dry run of an expired one' -n <m1
prints ': it was delivered before, but longer ago than the window$' 'it would be delivered again'
db 0 'show of an expired one' show m1
prints '^verdict  *new$' 'show of an expired one: new'
prints 'but that counts only until ' 'show of an expired one: why'
rm M/tmp/*
db 0 'recover, while a copy may still come' recover
prints '^0 settled, 1 left, 0 dropped, 0 failed' 'recover, while a copy may still come: left'
edit age 100000
db 0 'recover, when no copy will' recover
prints '^0 settled, 0 left, 1 dropped, 0 failed' 'recover, when no copy will: dropped'
db 0 'and it is gone' list --pending
is "$(cat out)" '' 'and it is gone'

# A clock that was wrong: records from the future.
fresh
lda <m
edit age -1000
db 0 'a record from the future' stat
prints '^oldest .*\(in 1[0-9]m [0-9]+s\)$' 'a record from the future: when'
does duplicate 'a record from the future: its copy' <m
edit age -1000000000000
db 0 'a record from a year that no clock has' list
prints '	@1[0-9]{12}	' 'a record from a year that no clock has: its seconds'
does duplicate 'a record from a year that no clock has: its copy' <m

# Records of a version that nobody knows.
fresh
lda <m
edit damage
health 'damage' "1 damaged: 'dedupdb list' shows which, 'dedupdb forget' removes them"
db 0 'damage, as JSON' --json stat
is "$(python3 -c 'import json; d = json.load(open("out")); print(d["records"], d["damaged"], d["oldest"])')" '1 1 None' 'damage, as JSON'
db 0 'list of damage' list
prints '^[0-9a-f]{16}	damaged	' 'list of damage'
digits=$(cut -c 1-16 out)
db 0 'list of damage since yesterday' list --since 1d
is "$(cat out)" '' 'it has no time'
db 0 'list of damage, as JSON' list --json
is "$(python3 -c 'import json; d = json.load(open("out")); print(d["state"])')" damaged 'list of damage, as JSON'
db 0 'show of damage' show "$digits"
prints '^state  *damaged$' 'show of damage'
is "$(grep -Ec '^(first|decided|age|expires)' out)" 0 'show of damage: it has no times'
db 0 'show of its message' show m
prints "its record can't be read: the next copy is delivered and replaces it" 'show of its message: why'
db 0 'recover leaves damage alone' recover
prints '^0 settled, 0 left, 0 dropped, 0 failed' 'recover leaves damage alone'
db 0 'forget of damage' forget "$digits"
health 'and all is well' healthy
lda <m
edit damage
does delivered 'a message whose record is damaged' <m
does duplicate 'and its copy' <m

# The database brought a process down.
if can_trace; then
	run="strace -o trace.out -P $D/L/env/ledger.db -e trace=openat -e inject=openat:signal=SEGV:when=1"
	lda <m
	run=
	is "$rc $(cat err)" '75 4.3.0 internal error' 'a delivery that dies in the database'
	db 0 'stat of it' stat
	prints '^health  *1 failed repairs in a row: is the disk full or broken' 'stat of it: how often'
	health 'counting repaired it' healthy
else
	skip 'a delivery that dies in the database' 'strace can not trace here'
fi

# No ledger.
db 0 'no ledger by configuration' -l none stat
prints '^health  *no ledger by configuration' 'no ledger by configuration: stat'
prints '^oldest  *none$' 'no ledger by configuration: no times'
db 0 'no ledger by configuration: recover' -l none recover
db 0 'no ledger by configuration: prune' -l none prune
db 69 'no ledger by configuration: forget' -l none forget 0123456789abcdef

# The same digits at the beginning of many.
fresh
edit crowd 3000
db 64 'forget of a prefix of many' forget 0000000000000000
ok 'it says of how many' grep -q 'is the start of 3000 fingerprints: give more digits' err
db 0 'none was forgotten' --json stat
is "$(python3 -c 'import json; print(json.load(open("out"))["records"])')" 3000 'none was forgotten'
db 0 'all are listed' list --sort
is "$(lines out)" 3000 'all are listed'
"$BUILD/dedupdb" -l "$ledger" list >/dev/full 2>err
is "$? $(lines err)" '74 1' 'a full disk: exit 74, and one line'
"$BUILD/dedupdb" -l "$ledger" list --sort 2>err | head -n 1 >out
is "$(lines out) $(lines err)" '1 0' 'a reader that goes away: silence'

# A signal ends it between two records, and it dies of it, so that a shell's loop ends, too.
is_full() { python3 -c 'import fcntl, sys, termios; assert int.from_bytes(fcntl.ioctl(3, termios.FIONREAD, bytes(4)), sys.byteorder) > 60000'; }
# blocked SIGNAL COMMAND...: it gets the signal while its reader makes it wait. How it ended is in `status`, what it printed in `out`.
blocked() {
	sig=$1
	shift
	rm -f pipe pid status
	mkfifo pipe
	{ "$@" >pipe 2>err & echo $! >pid; wait $!; echo $? >status; } 2>/dev/null &
	exec 3<pipe
	wait_for is_full
	kill "-$sig" "$(cat pid)"
	cat <&3 >out
	exec 3<&-
	wait
}
for sig in INT TERM HUP; do
	blocked $sig env --default-signal=$sig "$BUILD/dedupdb" -l "$ledger" list
	is "$(kill -l "$(cat status)")" "$sig" "SIG$sig: it dies of it"
	is "$(grep -Evc '^0{16}	delivered	[^	]*	[^	]*	counts$' out)" 0 "SIG$sig: whole lines"
	ok "SIG$sig: not all of them" [ "$(lines out)" -lt 3000 ]
done
blocked HUP nohup "$BUILD/dedupdb" -l "$ledger" list
is "$(cat status) $(lines out)" '0 3000' 'under nohup SIGHUP changes nothing'

# On a terminal, one line says how far it is, and is gone in the end; elsewhere there is none. It comes after a fifth of a second.
cat >terminal <<'END'
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
said = b""
try:
    while part := os.read(fd, 65536):
        said += part
except OSError:
    pass
open(sys.argv[1], "wb").write(said)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
python3 terminal shown "$BUILD/dedupdb" -l "$ledger" list
is $? 0 'list on a terminal: exit 0'
matches "$(head -n 1 shown)" '^FINGERPRINT  +STATE  +FIRST ' 'list on a terminal: a title'
if can_trace; then
	run="strace -o trace.out -e trace=$FCNTL -e inject=$FCNTL:delay_enter=300000:when=12+6"
	# shellcheck disable=SC2086 # $run is several words
	python3 terminal shown $run "$BUILD/dedupdb" -l "$ledger" list --sort
	is "$?" 0 'list --sort on a terminal: exit 0'
	matches "$(tr '\r\033' '\n!' <shown)" '^[0-9]+ records$' 'list --sort on a terminal: how far it is'
	ok 'list --sort on a terminal: cleared in the end' grep -q "$(printf '\r\033\[K0000000000000000 ')" shown
	# shellcheck disable=SC2086
	$run "$BUILD/dedupdb" -l "$ledger" list --sort >out 2>err
	is "$(cat err)" '' 'elsewhere it says nothing of it'
else
	skip 'list --sort on a terminal' 'strace can not trace here'
fi
plan
