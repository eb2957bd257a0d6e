#!/bin/sh
# dedupdb verify: what is wrong is found and said, what is well is well, and nothing is changed.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"

edit() { ledger_edit "$D/L" "$@" || echo "Bail out! ledger_edit $*"; }
sums() { find L -exec ls -ldn --time-style=+%s {} + && find L -type f -exec sha256sum {} + | sort; }
TMPDIR=$D/tmp
export TMPDIR
mkdir tmp
verify() {	# verify CODE NAME: its exit code; and the ledger, and the place of the copy, are as they were
	sums >before
	db "$1" "$2" verify
	sums >after
	ok "$2: the ledger is as it was" cmp -s before after
	ok "$2: nothing is left of the copy" rmdir tmp
	mkdir tmp
}
says() { prints "^$1  *$2\$" "$3"; }	# says LABEL TEXT NAME
unfinished() {	# unfinished MESSAGE: a delivery that decided and did not publish
	chmod 500 M/new
	lda <"$1"
	chmod 700 M/new
	is "$rc" 75 'a delivery that does not finish'
}
for i in 1 2 3; do message $i >m$i; done

db 0 'no ledger yet' verify
says verdict well 'no ledger yet: well'
ok 'no ledger yet: none is made' [ ! -e L ]

# Pending records against a Maildir.
lda <m1
verify 0 'one delivered'
says state clean 'one delivered: state'
says database sound 'one delivered: database'
says records 1 'one delivered: records'
unfinished m2
verify 0 'a delivery that may be at work'
says staged 1 'a delivery that may be at work: staged'
edit age 4000
verify 1 'a delivery that did not finish'
says verdict 'not well' 'a delivery that did not finish: not well'
says problem 'deliveries that did not finish, older than an hour: 1' 'a delivery that did not finish: what is wrong'
says advice "run 'dedupdb recover'" 'a delivery that did not finish: what to do'
cp -R M M.pending
cp -R L L.pending
db 0 'as it says' recover
verify 0 'after that'
again() {	# as before that
	rm -rf L M
	cp -R M.pending M
	cp -R L.pending L
}
again
for f in M/tmp/*; do mv "$f" "M/new/${f##*/},S=100"; done
verify 1 'published, but not marked'
says published 1 'published, but not marked: published'
again
for f in M/tmp/*; do mv "$f" "M/cur/${f##*/},S=100:2,S"; done
verify 1 'published and read, but not marked'
says published 1 'published and read, but not marked: published'
again
rm M/tmp/*
verify 0 'moved away, or lost'
says absent 1 'moved away, or lost: absent'
again
mv M M.away
verify 1 'the mailbox is gone'
says unreachable 1 'the mailbox is gone: unreachable'
prints "^problem .*[0-9a-f]{16} is pending, and its mailbox can't be looked at: .*$D/M: No such file" 'the mailbox is gone: what is wrong'
says advice "mount or mend the mailbox, then run 'dedupdb recover'" 'the mailbox is gone: what to do'

# Against an mbox.
if can_trace; then
	mailbox=mbox:$D/box
	fresh
	lda <m1
	run="strace -o trace.out -P $D/box -e trace=fsync -e inject=fsync:error=EIO"
	lda <m2
	run=
	is "$rc" 75 'an mbox that can not be synced'
	verify 0 'taken back from an mbox'
	says absent 1 'taken back from an mbox: absent'
	fresh
	lda <m1
	run=$(kill_at fsync 1 "$D/box")
	lda <m3
	run=
	is "$rc" 137 'killed between append and sync'
	verify 0 'appended, but not marked'
	says published 1 'appended, but not marked: published'
	rm box
	mkfifo box
	verify 1 'something else in place of the mbox'
	says unreachable 1 'something else in place of the mbox: unreachable'
	rm box
	mailbox=maildir:$D/M
else
	skip 'pending records against an mbox' 'strace can not trace here'
fi

# Records that can't be read.
fresh
edit crowd 20
edit damage
verify 1 'damaged records'
says unreadable 20 'damaged records: all are counted'
is "$(grep -c '^problem .* can.t be read$' out)" 10 'damaged records: ten are told'
prints "^advice .*'dedupdb forget 0{16}'" 'damaged records: what to do'

# The database, and its lock file.
fresh
edit crowd 3000	# so many that most pages have left the log
lda <m1
verify 0 'before all that'
cp -R L L.good
hurt() {	# hurt NAME COMMAND...: it is damaged for good
	what=$1
	rm -rf L
	cp -R L.good L
	shift
	"$@" 2>hurt.err
	verify 1 "$what"
	says database damaged "$what: the database"
	prints '^problem  *the database is damaged: .' "$what: what is wrong"
	ok "$what: no number of records" [ "$(count '^records' out)" = 0 ]
}
write_at() { printf 'not a page' | dd of="$1" bs=1 seek="$2" conv=notrunc; }
hurt 'a page is overwritten' write_at L/env/ledger.db 9000
hurt 'the first page is overwritten' write_at L/env/ledger.db 8
hurt 'the database is cut' truncate -s 20000 L/env/ledger.db
hurt 'the log is gone' sh -c 'rm L/env/log.*'
hurt 'the log is empty' sh -c 'truncate -s 0 L/env/log.*'
hurt 'a folder in place of the database' sh -c 'rm L/env/ledger.db && mkdir L/env/ledger.db'
hurt 'a link in place of the environment' sh -c 'mv L/env env.away && ln -s ../env.away L/env'
rm -rf env.away
mended() {	# mended STATE NAME COMMAND...: the next use repairs it
	state=$1 what=$2
	rm -rf L
	cp -R L.good L
	shift 2
	"$@" 2>hurt.err
	verify 0 "$what"
	says state "$state" "$what: what the next use finds"
	says records 3001 "$what: all records"
}
regions_of_noise() {
	for f in L/env/__db.*; do
		head -c 100000 /dev/urandom >"$f"
	done
}
mended 'its files were changed or removed' 'the region files are gone' sh -c 'rm L/env/__db.*'
mended 'its files were changed or removed' 'the region files are noise' regions_of_noise
mended "its header can't be read; the next delivery recovers" 'the lock file is noise' write_at L/lock 3
mended "its header can't be read; the next delivery recovers" 'the lock file is empty' truncate -s 0 L/lock
if can_trace; then
	rm -rf L
	cp -R L.good L
	lda <m1
	run=$(kill_at pwrite64 2 "$D/L/lock")
	lda <m2
	run=
	is "$rc" 137 'a delivery that dies at work'
	verify 0 'a process died at work'
	says state 'a process died at work' 'a process died at work: state'
fi
rm -rf L
cp -R L.good L
write_at L/env/ledger.db 9000 2>hurt.err
lda <m1
verify 0 'set aside by a delivery'
prints '^set_aside_last  *20.*ago\)$' 'set aside by a delivery: when'

# No room, and no place, for the copy.
rm -rf L
cp -R L.good L
TMPDIR=$D/nowhere
db 75 'no place for the copy' verify
ok 'no place for the copy: what to do' grep -q 'TMPDIR names another place' err
TMPDIR=$D/tmp
if (ulimit -f 8 && [ "$(ulimit -f)" = 8 ]) 2>/dev/null; then
	(
		trap '' XFSZ
		ulimit -f 8
		"$BUILD/dedupdb" -l "$ledger" verify >out 2>err
		echo $? >code
	)
	is "$(cat code)" 69 'no room for the copy'
	ok 'no room for the copy: nothing is left' rmdir tmp
	mkdir tmp
fi
db 64 'verify has no arguments' verify m1

# Killed, neither harms the ledger.
if can_trace; then
	for command in verify export; do
		for point in openat:4 openat:8 openat:20 pwrite64:1 pwrite64:3 fcntl:2 fcntl:5 write:1 mmap:30; do
			rm -rf L tmp
			mkdir tmp
			cp -R L.good L
			run=$(kill_at "${point%:*}" "${point#*:}")
			# shellcheck disable=SC2086 # $run is several words
			$run "$BUILD/dedupdb" -l "$ledger" "$command" >out 2>err
			echo $? >>codes
			run=
			rm -rf tmp
			mkdir tmp
			db 0 "$command, killed at $point: all is well" verify
			says records 3001 "$command, killed at $point: all is there"
		done
	done
	ok 'they were killed often enough' [ "$(grep -c 137 codes)" -ge 8 ]
else
	skip 'killed' 'strace can not trace here'
fi

# Beside deliveries.
fresh
{
	i=0
	while [ $i -lt 40 ]; do
		message "many-$i" | "$BUILD/dedup-lda" -o "mailbox=$mailbox" -o "ledger=$ledger" -o "log=file:$D/log" || echo "$?" >>failed
		i=$((i + 1))
	done
} &
i=0
wrong=0
while [ $i -lt 10 ]; do
	"$BUILD/dedupdb" -l "$ledger" verify >out 2>&1 || wrong=$((wrong + 1))
	i=$((i + 1))
done
wait
is "$wrong" 0 'beside deliveries all is well'
ok 'all were delivered' [ ! -e failed ]
is "$(copies)" 40 'all are there'
verify 0 'after them'
says records 40 'after them: records'
plan
