#!/bin/sh
# What the caller leaves the agent: quotas, limits, signals, descriptors, variables, a message that stops in the middle. It ends in 75
# (or what over-quota says), with one line that says why, all input read, and one copy after the retry.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
message 1 >m
large() { yes 'a line of a large message' | head -c 1000000; }
{ message 1 && large; } >big
# retried FILE NAME: the next copy comes in, the one after that does not, and there is one copy of it
retried() {
	exits 0 "$2: the retry" <"$1"
	does duplicate "$2: a copy" <"$1"
	case $mailbox in
	maildir:*) is "$(copies) $(staged)" '1 0' "$2: one copy" ;;
	*) is "$(count '^Message-ID: <1@' box)" 1 "$2: one copy" ;;
	esac
}
nothing() { is "$(find M -type f 2>/dev/null | wc -l)" 0 "$1: nothing visible, nothing left"; }	# nothing NAME
maildir() { fresh; mkdir -p M/tmp M/new M/cur; }
mbox() { fresh; printf 'From o@x Thu Nov 19 12:00:00 2026\n\nold\n\n' >box; cp box before; }

# Over quota. Before the decision the administrator's wish counts. After it the message is accepted: a bounce would be a lie.
# quota CODE CALL PATH NAME OPTION...: that call fails there
quota() {
	code=$1 call=$2 path=$3 title=$4
	shift 4
	run="strace -f -o trace.out -P $path -e trace=$call -e inject=$call:error=EDQUOT"
	exits "$code" "$title" "$@" <"$in"
	run=
	ok "$title: the quota did it" grep -q EDQUOT trace.out
	case $code in
	77) matches "$(head -n 1 err)" '^5\.2\.2 .*Disk quota exceeded' "$title: the first line says so" && act=rejected ;;
	*) matches "$(head -n 1 err)" '^4\.3\.0 .*Disk quota exceeded' "$title: the first line says so" && act=deferred ;;
	esac
	is "$(lines err)" 1 "$title: one line"
	matches "$(tail -n 1 log)" "action=$act " "$title: $act"
}
if can_trace; then
	reject='-o over-quota=reject'
	for in in m big; do
		for wish in '75 ' "77 $reject"; do
			code=${wish%% *} option=${wish#* }
			what="Maildir, $in, over-quota ${option:-unset}"
			maildir
			# shellcheck disable=SC2086 # several words, or none
			quota "$code" openat "$D/M/tmp" "$what, no file" $option
			nothing "$what, no file"
			retried $in "$what, no file"
			for call in write fsync; do
				maildir
				run="strace -f -o trace.out -e trace=$call -e inject=$call:error=EDQUOT:when=1"
				# shellcheck disable=SC2086
				exits "$code" "$what, $call" -o ledger=none $option <$in
				run=
				nothing "$what, $call"
				retried $in "$what, $call"
			done
		done
		# What the ledger knows needs no room, and is never rejected.
		maildir
		exits 0 "Maildir, $in, the first copy" <$in
		run="strace -f -o trace.out -P $D/M/tmp -e trace=openat -e inject=openat:error=EDQUOT"
		does duplicate "Maildir, $in, a duplicate" -o over-quota=reject <$in
		is "$(copies) $(staged)" '1 0' "Maildir, $in, a duplicate: one copy, nothing left"
		exits 75 "Maildir, $in, a duplicate to be tagged" -o on-duplicate=tag -o over-quota=reject <$in
		run="strace -f -o trace.out -e trace=fsync -e inject=fsync:error=EDQUOT"
		exits 75 "Maildir, $in, one that was written" -o on-duplicate=tag -o over-quota=reject <$in
		is "$(copies) $(staged)" '1 0' "Maildir, $in, one that was written: nothing left"
		run=
		maildir
		run=$(kill_at "$RENAME" 1 "$D/M/new")
		lda <$in
		run="strace -f -o trace.out -P $D/M/tmp -e trace=openat -e inject=openat:error=EDQUOT"
		does helped "Maildir, $in, a copy that can be helped" -o over-quota=reject <$in
		run=
		is "$(copies) $(staged)" '1 0' "Maildir, $in, a copy that can be helped: one copy, nothing left"
		maildir
		mkdir L && touch L/env && chmod 500 L
		quota 75 openat "$D/M/tmp" "Maildir, $in, the ledger can't say" -o over-quota=reject
		chmod 700 L
		maildir
		quota 75 "$RENAME" "$D/M/new" "Maildir, $in, the rename into new/" -o over-quota=reject
		is "$(copies) $(staged)" '0 1' "Maildir, $in, the rename into new/: staged and recorded"
		retried $in "Maildir, $in, the rename into new/"
		maildir
		quota 75 fsync "$D/M/new" "Maildir, $in, fsync of new/" -o over-quota=reject
		retried $in "Maildir, $in, fsync of new/"
		# A record that another copy left, which can't be finished now.
		maildir
		run=$(kill_at fsync 1 "$D/M/new")
		lda <$in
		run=
		quota 75 fsync "$D/M/new" "Maildir, $in, help" -o over-quota=reject
		retried $in "Maildir, $in, help"
	done
	mailbox=mbox:$D/box
	in=m
	mbox
	quota 75 write "$D/box" 'mbox, defer'
	same box before 'mbox, defer: nothing is appended'
	retried m 'mbox, defer'
	mbox
	quota 77 write "$D/box" 'mbox, reject' -o over-quota=reject
	same box before 'mbox, reject: nothing is appended'
	retried m 'mbox, reject'
	mbox
	run="strace -f -o trace.out -P $D/box -e trace=fsync,$TRUNCATE -e inject=fsync:error=EDQUOT:when=1 -e inject=$TRUNCATE:error=EIO"
	exits 75 'mbox, an append that can not be taken back: no rejection' -o over-quota=reject <m
	run=
	retried m 'mbox, an append that can not be taken back'
	mailbox=maildir:$D/M
	# The ledger's room is not the mailbox's.
	maildir
	run="strace -f -o trace.out -e trace=pwrite64 -e inject=pwrite64:error=EDQUOT"
	exits 75 'a ledger over quota: no rejection' -o over-quota=reject -o on-ledger-failure=defer <m
	exits 0 'nor is it one for the mailbox' -o over-quota=reject <m
	run=

	# A message whose end never comes is no message.
	for in in m big; do
		maildir
		run="strace -f -o trace.out -P $D/$in -e trace=read -e inject=read:error=EIO:when=2+"
		exits 75 "a read error in the middle of $in" <$in
		run=
		ok "$in: it was in the middle" grep -q 'read(0.* = [1-9]' trace.out
		matches "$(head -n 1 err)" '^4\.3\.0 read message: Input/output error$' "$in: the first line says so"
		nothing "a read error in the middle of $in"
		retried $in "a read error in the middle of $in"
	done
else
	skip 'quota and read errors' 'strace can not trace here'
fi

# Signals. It waits for the rest of the message when one comes.
mkfifo pipe
waiting() {	# waiting OPTION...: start it, and let it read the first line
	"$BUILD/dedup-lda" -o "mailbox=$mailbox" -o "ledger=$ledger" -o "log=file:$D/log" "$@" <pipe >out 2>err &
	pid=$!
	exec 3>pipe
	printf 'Message-ID: <1@example.org>\n' >&3
	wait_for test -d L	# it makes that last before it reads
}
ended() {	# it has ended by itself: its exit code
	wait "$pid"
	rc=$?
	exec 3>&-
}
for sig in HUP INT QUIT TERM ALRM XCPU USR1 USR2 SYS SEGV BUS FPE ILL ABRT; do
	maildir
	waiting
	kill -s $sig "$pid"
	ended
	is "$rc" 75 "SIG$sig: exit 75"
	matches "$(cat err)" '^4\.3\.0 [a-z ]+$' "SIG$sig: one line says why"
	nothing "SIG$sig"
done
for sig in PIPE XFSZ; do
	maildir
	waiting
	kill -s $sig "$pid"
	printf '\nThe end.\n' >&3
	exec 3>&-
	ended
	is "$rc $(copies)" '0 1' "SIG$sig: nothing happens"
done
maildir
waiting -o time-limit=1s
ended
is "$rc $(cat err)" '75 4.3.0 the time limit is over' 'a sender that stops: the time limit'
nothing 'a sender that stops'
retried m 'after all that'

# Descriptors of the caller are closed, and it leaves no core.
maildir
exec 7>leak 9<m
waiting
exec 7>&- 9<&-
is "$(find /proc/$pid/fd -lname "$D/leak" -o -lname "$D/m" | wc -l)" 0 'descriptors of the caller are closed'
is "$(awk '/^Max core file size/ { print $5, $6 }' /proc/$pid/limits)" '0 0' 'no core file'
is "$(awk '/^Umask:/ { print $2 }' /proc/$pid/status)" 0077 'umask 077'
printf '\nThe end.\n' >&3
exec 3>&-
ended
is "$rc $(copies)" '0 1' 'and it delivers'
for closed in '<&-' '>&-' '2>&-' '<&- >&- 2>&-' '>&- 2>&-'; do
	maildir
	eval '"$BUILD/dedup-lda" -v -o "mailbox=$mailbox" -o "ledger=$ledger" -o "log=file:$D/log" <m '"$closed"
	rc=$?
	case $closed in
	*'<&-'*) is "$rc $(copies) $(staged)" '75 0 0' "closed: $closed" ;;
	*) is "$rc $(copies)" '0 1' "closed: $closed" && same "$(only)" m "closed: $closed: nothing but the message is in it" ;;
	esac
done

# More of dedupdb's output than it keeps before it writes.
maildir
for i in $(seq 100); do message "$i" | lda; done
size=$(stat -c %s L/lock)
for closed in '>&-' '<&- >&-' '<&- >&- 2>&-'; do
	eval '"$BUILD/dedupdb" -l "$ledger" list '"$closed" 2>err
	is $? 74 "dedupdb, closed: $closed: exit 74"
	is "$(head -c 6 L/lock) $(stat -c %s L/lock)" "DDLEDG $size" "dedupdb, closed: $closed: nothing is written to the ledger"
done

# Few descriptors: whatever does not work, the message is deferred or is there.
files=3
while [ $files -le 20 ]; do
	fresh
	run="prlimit --nofile=$files"
	lda <m
	run=
	there=$(find M -path '*/new/*' 2>/dev/null | wc -l)
	case "$rc $there" in
	'0 1' | '75 0') result 0 "$files descriptors: exit $rc" ;;
	# The loader itself can't start: an MTA's own trouble.
	'127 0') result 0 "$files descriptors: the loader can not start" ;;
	*) result 1 "$files descriptors: exit $rc, $there copies" ;;
	esac
	files=$((files + 1))
done
is "$rc" 0 '20 are enough'

# Variables.
mkdir evil evil/tmp
printf 'set_lg_dir %s\nset_data_dir %s\n' "$D/evil" "$D/evil" >DB_CONFIG
cp DB_CONFIG evil/openssl.cnf
dirty="env OPENSSL_CONF=$D/evil/openssl.cnf SSLEAY_CONF=$D/evil/openssl.cnf DB_HOME=$D/evil TMPDIR=$D/evil/tmp TMP=$D/evil/tmp TZ=:$D/evil/tz
    LOCALDOMAIN=x RES_OPTIONS=debug HOSTALIASES=$D/evil/hosts NLSPATH=$D/evil/%N LOCPATH=$D/evil POSIXLY_CORRECT=1 CONFUSE_PATH=$D/evil
    mailbox=mbox:$D/evil/box MAIL=$D/evil/box LOGNAME=root USER=root"
find evil >evil.before
for in in m big; do
	for kind in maildir:$D/M mbox:$D/box; do
		fresh
		mailbox=$kind
		run=$dirty
		does delivered "a caller's variables, $in, $kind" -m '' -v <$in
		does duplicate "again, $in, $kind" <$in
		run=
	done
done
mailbox=maildir:$D/M
fresh
lda <m
cp DB_CONFIG L/DB_CONFIG
cp DB_CONFIG L/env/DB_CONFIG
rm -f L/env/__db.*
does duplicate 'a DB_CONFIG in the ledger' <m
find evil >evil.after
same evil.after evil.before 'nothing is made where they lead'
if can_trace; then
	# shellcheck disable=SC2086
	strace -f -o trace.out -e trace=%file $dirty "$BUILD/dedup-lda" -o "mailbox=$mailbox" -o "ledger=$ledger" -o "log=file:$D/log" <big
	is "$(grep -v execve trace.out | grep -c "$D/evil")" 0 'nor is anything looked for there'
fi
plan
