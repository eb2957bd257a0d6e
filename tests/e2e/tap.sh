#!/bin/sh
# What the scripts in this folder share: TAP, a scratch folder, and the agent with options that keep it inside. To be sourced.
#
#	$D		the scratch folder, which is also the current one and holds the home; gone at exit
#	$mailbox, $ledger	what `lda` sets them to
#	$run		words before the agent: a program to run it under
#	$rc, $D/out, $D/err, $D/log	exit code, outputs and log of the last `lda`
#
# The scripts run as an unprivileged user: the agent refuses to be root, and root could write into a folder without permission.

: "${BUILD:=build}"
case $BUILD in
/*) ;;
*) BUILD=$PWD/$BUILD ;;
esac
PATH=$BUILD/tests:$PATH
D=$(cd "$(mktemp -d)" && pwd -P) || exit 1
trap 'cd / && chmod -R u+rwx "$D" && rm -rf "$D"' EXIT
trap 'exit 1' HUP INT TERM
cd "$D" || exit 1
HOME=$D/home
export HOME
mkdir "$HOME"
mailbox=maildir:$D/M
ledger=bdb:$D/L
run=
rc=0
n=0

result() {	# result STATUS NAME
	n=$((n + 1))
	[ "$1" -eq 0 ] || printf 'not '
	printf 'ok %s - %s\n' "$n" "$2"
	return "$1"
}
ok() {	# ok NAME COMMAND...: it succeeds
	name=$1
	shift
	"$@"
	result $? "$name" || diag "$*"
}
not() { ! "$@"; }
patience=120	# seconds; only what fails takes as long, however busy the machine is
wait_for() {	# wait_for COMMAND...: it succeeds in time
	deadline=$(($(date +%s) + patience))
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $deadline ] || return 1
		sleep 0.05
	done
}
diag() {	# what it explains has failed, and stays so: `is ... || diag ...`
	printf '%s\n' "$@" | LC_ALL=C tr -c '\n -~' '?' | sed 's/^/# /'
	return 1
}
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }	# skip NAME WHY
plan() { echo "1..$n"; }	# at the end: a script that dies has none
is() {	# is GOT WANTED NAME
	[ "$1" = "$2" ]
	result $? "$3" || diag "got:    $1" "wanted: $2"
}
matches() {	# matches GOT PATTERN NAME: an extended regular expression
	printf '%s\n' "$1" | grep -Eq -e "$2"
	result $? "$3" || diag "got:    $1" "wanted: $2"
}
same() {	# same GOT WANTED NAME: files, byte by byte
	cmp "$1" "$2" >cmp.out 2>&1
	result $? "$3" || diag "$(cat cmp.out)" "got:" "$(head -c 2000 "$1" | od -c | head -n 40)" "wanted:" \
	    "$(head -c 2000 "$2" | od -c | head -n 40)"
}

lda() {	# lda OPTION... <message: the agent; later options win
	# shellcheck disable=SC2086 # $run is several words
	{ $run "$BUILD/dedup-lda" -o "mailbox=$mailbox" -o "ledger=$ledger" -o "log=file:$D/log" "$@" >"$D/out"; } 2>"$D/err"
	rc=$?
}
exits() {	# exits CODE NAME OPTION... <message
	want=$1 title=$2
	shift 2
	lda "$@"
	is "$rc" "$want" "$title: exit $want" || diag "$(head -n 5 "$D/err")"
}
says() {	# says PATTERN NAME: on standard error
	grep -Eq -e "$1" "$D/err"
	result $? "$2" || diag "no line of standard error has: $1" "$(head -n 20 "$D/err")"
}
defers() {	# defers REASON NAME OPTION... <message: exit 75, and a first line that Postfix understands
	reason=$1
	shift
	exits 75 "$@"
	matches "$(head -n 1 err)" "^4\.3\.0 .*$reason" "$1: the first line says why"
}
does() {	# does ACTION NAME OPTION... <message: exit 0, and the log names that action
	action=$1
	shift
	: >"$D/log"
	exits 0 "$@"
	matches "$(grep -o 'action=[a-z]*' log)" "^action=$action\$" "$1: $action"
}
db() {	# db CODE NAME ARGUMENT...: dedupdb with the same mailbox and ledger, its outputs in `out` and `err`
	want=$1 title=$2
	shift 2
	# shellcheck disable=SC2086 # $run is several words
	{ $run "$BUILD/dedupdb" -o "mailbox=$mailbox" -o "ledger=$ledger" "$@" >out; } 2>err
	is $? "$want" "$title: exit $want" || diag "$(head -n 5 err)"
}
prints() { ok "$2" grep -Eq -e "$1" out || diag "$(head -n 20 out)"; }	# prints PATTERN NAME: the last `db`
# together OPTION...: eight copies of m at the same time; exit codes in code.*. The file `go` is there as soon as seven have ended.
together() {
	agents=
	rm -f go code.*
	for i in 1 2 3 4 5 6 7 8; do
		{ "$BUILD/dedup-lda" -o "mailbox=$mailbox" -o "ledger=$ledger" -o "log=file:$D/log" "$@" <m >said.$i 2>&1; echo $? >code.$i; } &
		agents="$agents $!"
	done
	wait_for seven_ended
	: >go
	# shellcheck disable=SC2086
	wait $agents
}
seven_ended() { [ "$(cat code.* | wc -l)" -ge 7 ]; }
fresh() { chmod -R u+rwx M L box box.lock 2>chmod.err; rm -rf M L box box.lock log; }	# neither mailbox nor ledger
copies_in() { find "$1" -type f \( -path '*/new/*' -o -path '*/cur/*' \) | wc -l | tr -d ' '; }	# messages in a Maildir, all folders
copies() { copies_in M; }
staged() { find M -type f -path "*/tmp/*" | wc -l | tr -d " "; }	# files in tmp/ of M
only_in() { find "$1/new" -type f; }	# the only message of a Maildir
only() { only_in M; }
message() { printf 'Date: Fri, 20 Nov 2026 12:00:00 +0000\nMessage-ID: <%s@example.org>\nSubject: test\n\nThe text of %s.\n' "$1" "$1"; }
lines() { wc -l <"$1" | tr -d ' '; }
count() { grep -Ec -e "$1" "$2"; }	# count PATTERN FILE

# Can system calls be traced here, and signals injected?
can_trace() { strace -o trace.out -e 'inject=?getuid:signal=USR1' true 2>strace.err; }
# kill_at CALLS WHEN [PATH]: words for $run, which kill the agent when it enters the WHEN-th of these calls (on that path)
kill_at() { echo "strace -o trace.out ${3:+-P $3} -e trace=$1 -e inject=$1:signal=KILL:when=$2"; }
# shellcheck disable=SC2034 # for the scripts
RENAME='?renameat,?renameat2'
# shellcheck disable=SC2034 # the others on 32 bit
FCNTL='?fcntl,?fcntl64' TRUNCATE='?ftruncate,?ftruncate64'
# shellcheck disable=SC2034
SYNC='fsync,fdatasync,sync_file_range,syncfs,msync,?sync'
# Does fsync of a file here make its entry durable as well?
syncs_entries() { case $(stat -f -c %T "$D") in ext2/ext3 | xfs | btrfs) ;; *) return 1 ;; esac; }
