#!/bin/sh
# Deliveries into an mbox, seen from outside: the bytes of the file, locks, and what a killed delivery leaves.
# shellcheck disable=SC2059 # $head is part of formats
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
mailbox=mbox:$D/box

head='Date: Fri, 20 Nov 2026 12:00:00 +0000\nMessage-ID: <1@x>\nSubject: s\n'
from='From s@x Fri Nov 20 12:00:00 2026\n'
id='X-Dedup-Id: ID\n'

# The random id as ID; the date of a From_ line that the agent made as DATE.
plain() {
	LC_ALL=C sed -e 's/^X-Dedup-Id: [0-9a-f]\{32\}$/X-Dedup-Id: ID/' \
	    -e '/^From / s/ [A-Z][a-z][a-z] [A-Z][a-z][a-z] [ 0-9][0-9] [0-9][0-9]:[0-9][0-9]:[0-9][0-9] 20[2-9][0-9]$/ DATE/' "$1"
}
between() { [ "$1" -gt "$2" ] && [ "$1" -lt "$3" ]; }
entries() { count '^X-Dedup-Id: [0-9a-f]{32}$' box; }

# The message `in` after what is in `old` gives old and `want`.
exact() {	# exact NAME OPTION...
	what=$1
	shift
	rm -rf L
	cp old box
	exits 0 "$what" "$@" <in
	head -c "$(wc -c <old)" box >got
	same got old "$what: what was there"
	tail -c +$(($(wc -c <old) + 1)) box | plain - >got
	same got want "$what: the entry"
}

# The place of the entry.
: >old
printf "$head"'\nhi\n' >in
rm -f box
exits 0 'no mbox yet' -f s@x <in
printf 'From s@x DATE\n'"$id"'Return-Path: <s@x>\n'"$head"'\nhi\n\n' >want
plain box >got
same got want 'one entry: From_ line, id, added header, message, empty line'
is "$(stat -c %a box)" 600 'mode 0600'
ok 'no dotlock is left' not test -e box.lock
exact 'empty' -f s@x
old='From o@x Thu Nov 19 12:00:00 2026\nSubject: old\n\nold\n'
printf "$old"'\n' >old
exact 'after an entry that ends well' -f s@x
printf '\nFrom s@x DATE\n'"$id"'Return-Path: <s@x>\n'"$head"'\nhi\n\n' >want
printf "$old" >old
exact 'after an entry without its empty line' -f s@x
printf "$old"'\n' | sed 's/$/\r/' >old
cp want want.1
tail -n +2 want.1 >want
exact 'after an entry with CRLF' -f s@x
printf "$old" | sed 's/$/\r/' >old
cp want.1 want
exact 'after an entry with CRLF, without its empty line' -f s@x
printf 'From o@x Thu Nov 19 12:00:00 2026\nSubject: old\n\nold' >old
{ printf '\n' && cat want.1; } >want
exact 'after an entry without its last newline' -f s@x
printf '\n' >old
tail -n +2 want.1 >want
exact 'after an empty line' -f s@x
head -c 100000 /dev/urandom >old
printf '\n\n' >>old
exact 'after anything' -f s@x

# The From_ line.
: >old
{ printf "$from"'>From t@x Thu\n' && cat in; } >in.1
cp in in.2 && cp in.1 in
printf 'From s@x DATE\n'"$id"'Return-Path: <s@x>\n'"$head"'\nhi\n\n' >want
exact "the MTA's"
grep -q '^From s@x Fri Nov 20 12:00:00 2026$' box
result $? 'its date is the MTA.s'
printf 'From s@x DATE\n'"$id"'Return-Path: <f@x>\n'"$head"'\nhi\n\n' >want
exact "the MTA's, with another -f" -f f@x
printf 'From odd sender whose line is strange\n'"$head"'\nhi\n' >in
printf 'From odd sender whose line is strange\n'"$id$head"'\nhi\n\n' >want
exact "an odd one of the MTA's" -o add-headers=
cp in.2 in
printf 'From MAILER-DAEMON DATE\n'"$id"'Return-Path: <>\n'"$head"'\nhi\n\n' >want
exact 'null sender' -f '<>'
printf 'From MAILER-DAEMON DATE\n'"$id$head"'\nhi\n\n' >want
exact 'no sender'
printf 'From a_b_c@x_Fri DATE\n'"$id$head"'\nhi\n\n' >want
exact 'a sender with blanks and a newline' -o add-headers= -f 'a b
c@x	Fri'
matches "$(head -n 1 box)" "^From [^ ]+ [A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} $(date -u +%Y)\$" 'its date is asctime.s'

# Quoting and ends.
entry() { { printf 'From MAILER-DAEMON DATE\n'"$id" && cat "$1"; } >want; }
printf "$head"'\nFrom a\n>From b\n>>From c\nFrom\nFromage\n From d\n>x\nthe From e\nFrom ' >in
printf "$head"'\n>From a\n>>From b\n>>>From c\nFrom\nFromage\n From d\n>x\nthe From e\n>From \n\n' >in.q
entry in.q
exact 'mboxrd quoting'
printf "$head"'\nFrom a\r\n>From b\r\n' >in
printf "$head"'\n>From a\r\n>>From b\r\n\n' >in.q
entry in.q
exact 'the same with CRLF'
printf 'Subject: s\nFrom nobody\nMessage-ID: <late@x>\n' >in
printf 'Subject: s\n>From nobody\nMessage-ID: <late@x>\n\n' >in.q
entry in.q
exact 'a separator in the header'
printf ' folded\n'"$head"'\nFrom a\n' >in
printf '\n folded\n'"$head"'\n>From a\n\n' >in.q
entry in.q
exact 'a first line that begins with a blank continues no field of ours'
printf "$head"'\nhi\n\n\n' >in
{ cat in && printf '\n'; } >in.q
entry in.q
exact 'empty lines at the end are kept'
printf "$head" >in
{ cat in && printf '\n'; } >in.q
entry in.q
exact 'header only'
: >in
printf '\n' >in.q
entry in.q
exact 'nothing at all'
{ printf "$head"'\na\000b\n' && head -c 1000 /dev/zero; } >in
{ cat in && printf '\n\n'; } >in.q
entry in.q
exact 'NUL'
large() { yes 'From a line of a large message' | head -c 300000; }
{ printf "$head"'\n' && large; } >in
{ printf "$head"'\n' && large | sed 's/^From />&/' && printf '\n\n'; } >in.q
entry in.q
exact 'large message'
{ printf "$from"'return-path: <old@x>\n'"$head"'\n' && large; } >in
{ printf 'From s@x DATE\n'"$id"'Return-Path: <f@x>\nDelivered-To: r@x\n' && tail -n +1 in.q; } >want
exact 'large, with a From_ line and added headers' -f f@x -a r@x

# Copies.
printf "$old" >box
rm -rf L
message 1 >in
does delivered 'first copy' <in
cp box before
does duplicate 'second copy' <in
same box before 'the file is the same'
exits 0 'a folder' -v -m work <in
message 2 >in2
exits 0 'a folder is ignored' -v -m work <in2
says 'notice=".*an mbox has no folders' 'the log says so'
is "$(entries)" 2 'two entries'
is "$(grep '^X-Dedup-Id' box | sort -u | wc -l)" 2 'with different ids'
cp box before
message tag >in
does delivered 'tag, first copy' -o on-duplicate=tag <in
does tagged 'tag, second copy' -o on-duplicate=tag <in
is "$(entries) $(count '^X-Dedup-Lda: duplicate; first=' box)" '4 1' 'the second one has a tag'

# Locks.
message lock >in
cp box before
run="hold fcntl $D/box"
defers 'somebody else holds an fcntl lock' 'an fcntl lock of another program' -o lock-timeout=1s <in
run=
same box before 'the file is the same'
ok 'no dotlock is left' not test -e box.lock
echo $$ >box.lock
defers 'somebody else holds a dotlock' 'a dotlock of another program' -o lock-timeout=1s <in
same box before 'the file is the same'
is "$(cat box.lock)" $$ 'nor is the dotlock another'
touch -d '11 minutes ago' box.lock
defers 'somebody else holds a dotlock' 'an old dotlock of a process that lives' -o lock-timeout=1s <in
: >box.lock
defers 'somebody else holds a dotlock' 'a dotlock that names nobody' -o lock-timeout=1s <in
same box before 'the file is the same'
touch -d '11 minutes ago' box.lock
exits 0 'when it is older than stale-lock-time' -v -o lock-timeout=1s <in
says 'removed a left-over dotlock' 'the log says so'
ok 'it is gone' not test -e box.lock
dead=$(sh -c 'echo $$')
echo "$dead" >box.lock
touch -d '11 minutes ago' box.lock
message dead >in
does delivered 'an old dotlock of a process that is gone' -o lock-timeout=1s <in
is "$(entries)" 6 'all are there once'

# After a power cut the number of the process that left it may be another one's.
boot=$(tr -d - </proc/sys/kernel/random/boot_id)
ours() { echo "$$:$(uname -n):$1:$(stat -L -c %i /proc/self/ns/pid)"; }	# ours BOOT: a dotlock of ours; its process lives
ours "$boot" >box.lock
message boot >in.boot
defers 'somebody else holds a dotlock' 'a dotlock of this boot, whose process lives' -o lock-timeout=1s <in.boot
ours "$(echo "$boot" | tr 0-9a-f 1-9a-f0)" >box.lock
exits 0 'a dotlock of another boot' -v -o lock-timeout=1s <in.boot
says 'removed a left-over dotlock' 'it is removed at once'
is "$(entries)" 7 'all are there once'

mkdir -p shared
cp before shared/box
chmod 500 shared
rm -rf L
exits 0 'a folder that is not writable' -v -o "mailbox=mbox:$D/shared/box" <in
says 'locked with fcntl alone' 'the log says so'
is "$(count '^Message-ID: <dead' shared/box)" 1 'delivered'
message fcntl >in
run="hold fcntl $D/shared/box"
defers 'somebody else holds an fcntl lock' 'and locked by another program' -o lock-timeout=1s -o "mailbox=mbox:$D/shared/box" <in
run=
defers 'no dotlock can be made' 'dotlocks only' -o mbox-locks=dotlock -o "mailbox=mbox:$D/shared/box" <in
is "$(count '^Message-ID: <fcntl' shared/box)" 0 'nothing is delivered'
chmod 700 shared

# What a kill leaves.
# died CALL WHEN [PATH]: `in` is delivered into a copy of `old` and killed there
died() {
	rm -rf L box box.lock
	message early >in.early
	printf "$old" >box
	lda <in.early
	cp box old.box
	run=$(kill_at "$@")
	lda <in
	run=
}
whole() {	# whole NAME: everything before is as it was, and one whole copy of `in` follows
	head -c "$(wc -c <old.box)" box >got
	same got old.box "$1: what was there"
	tail -c +$(($(wc -c <old.box) + 1)) box | plain - >got
	{ printf 'From MAILER-DAEMON DATE\n'"$id" && cat in && printf '\n'; } >want
	same got want "$1: one whole copy"
}
helped() {	# helped ACTION NAME: the next copy does that, and all is well
	does "$1" "$2: the next copy" <in
	whole "$2"
	does duplicate "$2: the copy after that" <in
	whole "$2, again"
	ok "$2: no dotlock is left" not test -e box.lock
}
if can_trace; then
	message killed >in
	died write 1 "$D/box"
	same box old.box 'killed at the first write: nothing is there'
	ok 'its dotlock is left' test -s box.lock
	ok 'and names this boot' grep -q ":$boot:" box.lock
	exits 0 'the next copy' -v <in
	says 'removed a left-over dotlock' 'it removes the dotlock at once'
	whole 'killed at the first write'
	does duplicate 'the copy after that' <in

	died fsync 1 "$D/box"
	cp box appended
	helped helped 'killed at the fsync'
	died fsync,fdatasync 1 "$D/L/env/log.0000000001"
	helped delivered 'killed in the first commit'
	died fsync,fdatasync 2 "$D/L/env/log.0000000001"
	does duplicate 'killed in the last commit: the next copy' <in
	whole 'killed in the last commit'
	died '?unlink,?unlinkat' 1
	does duplicate 'killed when all is done: the next copy' <in
	whole 'killed when all is done'

	{ message huge && yes 'a line' | head -c 7000000; } >in
	died write 20 "$D/box"
	ok 'a large message, killed in the middle: torn' between "$(wc -c <box)" 100000 6000000
	helped delivered 'a large message'

	message torn >in
	for cut in 1 7 60 100; do
		died fsync 1 "$D/box"
		truncate -s "$(($(wc -c <old.box) + cut))" box
		helped delivered "torn after $cut bytes"
	done
	died fsync 1 "$D/box"
	truncate -s "$(($(wc -c <old.box) + 50))" box
	truncate -s "$(($(wc -c <old.box) + 150))" box
	helped delivered 'torn, with zeros behind'

	died fsync 1 "$D/box"
	truncate -s "$(($(wc -c <old.box) + 60))" box
	printf 'x' >>box
	cp box spoiled
	does delivered 'torn, and somebody wrote behind it: the next copy' <in
	head -c "$(wc -c <spoiled)" box >got
	same got spoiled 'nothing is cut'
	is "$(count '^Message-ID: <torn' box)" 1 'one whole copy is behind it'
	does duplicate 'the copy after that' <in

	died fsync 1 "$D/box"
	sed -i '/^X-Dedup-Id/,$ s/^Subject: test$/&\nStatus: RO/' box
	cp box read
	does helped 'killed, and read by the user: the next copy' <in
	same box read 'the file is the same'
	died fsync 1 "$D/box"
	tail -c +$(($(wc -c <old.box) + 1)) box >moved
	mv moved box
	cp box read
	does helped 'killed, and the user deleted what was before: the next copy' <in
	same box read 'the file is the same'

	died fsync 1 "$D/box"
	cp in in.1
	message next >in
	does delivered 'killed: another message comes' <in
	cp in.1 in
	does duplicate 'it has settled the first one: the next copy' <in
	is "$(count '^Message-ID: <(torn|next)@' box) $(entries)" '2 3' 'one copy of each'

	died fsync 1 "$D/box"
	ok 'killed: dedupdb recover' "$BUILD/dedupdb" -o "mailbox=$mailbox" -l "$ledger" recover
	does duplicate 'the next copy' <in
	whole 'recovered'
	died write 1 "$D/box"
	ok 'killed before the append: dedupdb recover' "$BUILD/dedupdb" -o "mailbox=$mailbox" -l "$ledger" recover
	same box old.box 'it cuts and adds nothing'
	does delivered 'the next copy' <in
	whole 'after that'

	run="strace -f -o trace.out -e trace=$SYNC"
	message traced >in
	does delivered 'traced' <in
	if syncs_entries; then
		is "$(grep -c 'sync.*= 0$' trace.out)" 3 'three syncs for a new message'
	else
		skip 'three syncs for a new message' 'needs ext4, XFS or Btrfs'
	fi
	does duplicate 'traced again' <in
	is "$(grep -c sync trace.out)" 0 'none for a duplicate'
	run=
else
	skip 'recovery' 'strace can not trace here'
fi
plan
