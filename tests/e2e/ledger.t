#!/bin/sh
# A ledger that is broken, gone, locked or full of noise costs a copy at the worst: every message is delivered, and the log says why.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
mkdir M

number=0
next() { number=$((number + 1)); message "$number" >m; }	# a message that nobody has seen yet
trouble() { grep -Eq '(^notice="ledger|^notice="?.*\.lock|ledger=)' "$D/err"; }
# delivers NAME OPTION...: the next message arrives
delivers() {
	what=$1
	shift
	next
	before=$(copies)
	lda -v "$@" <m
	is "$rc $(($(copies) - before))" '0 1' "$what: delivered" || diag "$(cat err)"
}
# knows NAME: the last message is a duplicate, and so is a copy of the next one
knows() {
	does duplicate "$1: its copy" <m
	does delivered "$1: the next message" <m.next
	does duplicate "$1: and its copy" <m.next
}
recovers() {	# recovers NAME: after damage all is well with the next message
	delivers "$1"
	message "$number.next" >m.next
	knows "$1"
}
degraded() {	# degraded NAME REASON OPTION...: no ledger, and it stays so
	title=$1 why=$2
	shift 2
	delivers "$title" "$@"
	says "^action=delivered .* ledger=\".*$why" "$title: the log says why"
	before=$(copies)
	lda "$@" <m
	is "$rc $(($(copies) - before))" '0 1' "$title: its copy is delivered as well"
	delivers "$title, again" "$@"
	defers "$why" "$title, on-ledger-failure = defer" -o on-ledger-failure=defer "$@" <m
	next
	defers "$why" "$title, a new message" -o on-ledger-failure=defer "$@" <m
	is "$(grep -rl "^Message-ID: <$number@" M | wc -l) $(staged)" '0 0' "$title: nothing arrives"
}

# What can't be repaired.
degraded 'the parent of the ledger is missing' 'open folder' -o "ledger=bdb:$D/missing/L"
ok 'it is not made' not test -e missing
: >file
degraded 'a file in its place' 'open ledger' -o "ledger=bdb:$D/file"
is "$(wc -c <file)" 0 'the file is as it was'
mkdir -p aside/L
ln -s aside/L link
degraded 'a symbolic link in its place' 'open ledger' -o "ledger=bdb:$D/link"
is "$(find aside/L | wc -l)" 1 'nothing is where it points'
mkdir -m 777 open
degraded 'a folder that everybody can write' 'writable by nobody else' -o "ledger=bdb:$D/open"
lda -o ledger=bdb:"$D/R" </dev/null
next
lda -o ledger=bdb:"$D/R" <m
chmod 400 R/lock R/env/*
chmod 500 R R/env
degraded 'a ledger that is read-only' 'open lock' -o "ledger=bdb:$D/R"
chmod 700 R R/env
chmod 600 R/lock R/env/*
recovers 'made writable again'
delivers 'a ledger' -o "ledger=bdb:$D/R"
rm R/lock
mkdir R/lock
degraded 'its lock is a folder' 'open lock' -o "ledger=bdb:$D/R"
rmdir R/lock
mkfifo R/lock
degraded 'its lock is a FIFO' 'its lock is no regular file' -o "ledger=bdb:$D/R"
rm R/lock
ln -s "$D/elsewhere" R/lock
degraded 'its lock is a symbolic link' 'open lock' -o "ledger=bdb:$D/R"
ok 'nothing is where it points' not test -e elsewhere
delivers 'a ledger'
run="hold ofd $D/L/lock"
delivers 'locked by another process' -o lock-timeout=1s
says '^action=delivered .* ledger=".*locked by another process for 1 s"' 'the log says why'
next
defers 'locked by another process' 'locked, on-ledger-failure = defer' -o lock-timeout=1s -o on-ledger-failure=defer <m
is "$(grep -rl "^Message-ID: <$number@" M | wc -l) $(staged)" '0 0' 'nothing arrives'
run=
recovers 'unlocked'

# What is repaired.
rm -rf G
for i in 1 2 3 4 5 6 7 8 9 10; do
	message "golden$i" >m
	lda -o "ledger=bdb:$D/G" <m
done
cp -R G older
for i in 11 12 13 14 15; do
	message "golden$i" >m
	lda -o "ledger=bdb:$D/G" <m
done
noise() { head -c "$(wc -c <"$1")" /dev/urandom >noise && cp noise "$1"; }
begin() {	# a ledger that was used and is at rest
	rm -rf L
	cp -R G L
	next
	lda <m
}
told() {	# told NAME: the delivery that met the damage said so
	trouble
	result $? "$1: the log says so" || diag "$(cat err)"
}
listed() { "$BUILD/dedupdb" -l "$ledger" list >list.out; }
each() {	# each NAME COMMAND...: done to each file of the ledger at once
	what=$1
	shift
	begin
	for file in L/lock L/env/*; do
		"$@" "$file"
	done
	delivers "$what"
	told "$what"
	message "$number.next" >m.next
	knows "$what"
	ok "$what: it is sound" listed
}
each 'noise in every file' noise
each 'every file empty' truncate -s 0
each 'every file cut' truncate -s 100
each 'every file longer' truncate -s +4096
each 'every file gone' rm
for file in lock env/ledger.db env/log.0000000001 env/__db.001 env/__db.002 env/__db.003; do
	begin
	if [ ! -e "L/$file" ]; then
		skip "$file" 'there is none'
		continue
	fi
	noise "L/$file"
	recovers "noise in $file"
	begin
	rm "L/$file"
	recovers "$file gone"
	case $file in
	*__db.00[23]) continue ;;
	esac
	begin
	truncate -s 0 "L/$file"
	recovers "$file empty"
	begin
	truncate -s 1000 "L/$file"
	recovers "$file cut"
	begin
	rm "L/$file"
	mkdir "L/$file"
	case $file in
	lock) degraded 'lock a folder' 'open lock' ;;
	*) recovers "$file a folder" ;;
	esac
done
# A recovery fills the log's last file with zeroes: what a killed delivery costs the next one, and each mailbox on the disk.
begin
is "$(find L/env -name 'log.*' -size +1024k)" '' 'no log file is larger than 1 MiB'
rm L/env/__db.*
delivers 'the shared memory is gone'
is "$(find L/env -name 'log.*' -size +1024k)" '' 'nor does a recovery make one larger'
told 'the shared memory is gone'
message golden5 >m
does duplicate 'the shared memory is gone: nothing is forgotten' <m
begin
rm -r L/env
delivers 'env gone' -v
ok 'env gone: the log says so' grep -q 'it has no database: started afresh' err
message "$number.next" >m.next
knows 'env gone'
begin
rm -r L/env
: >L/env
delivers 'env a file'
told 'env a file'
message "$number.next" >m.next
knows 'env a file'
begin
mv L/env aside/env
ln -s ../aside/env L/env
recovers 'env a symbolic link'
begin
cp older/env/ledger.db L/env/ledger.db
recovers 'ledger.db an older one'
begin
rm -r L/env
cp -R older/env L/env
recovers 'env an older one'
message golden5 >m
does duplicate 'env an older one: what it knows' <m
rm -rf L
cp -R G L
delivers 'copied as a whole'
message golden5 >m
does duplicate 'copied as a whole: nothing is forgotten' <m

# Moved while the agent waits for its message, and another one in its place or not.
mkfifo slowly
for there in nothing 'a copy'; do
	begin
	next
	"$BUILD/dedup-lda" -o "mailbox=$mailbox" -o "ledger=$ledger" -o log=stderr -o on-ledger-failure=defer <slowly 2>err &
	agent=$!
	exec 9>slowly
	head -c 20 m >&9
	is_open() { [ -n "$(find "/proc/$agent/fd" -lname "$D/L" 2>/dev/null)" ]; }
	wait_for is_open
	mv L moved
	[ "$there" = nothing ] || cp -a moved L
	tail -c +21 m >&9
	exec 9>&-
	wait $agent
	is $? 75 "moved, $there in its place: deferred"
	says 'moved or replaced meanwhile' "moved, $there in its place: says why"
	is "$(find moved L -name 'env.bad.*' 2>/dev/null)" '' "moved, $there in its place: the old one is not set aside"
	rm -rf L
	mv moved L
	delivers "moved back, $there in its place"
	message golden5 >m
	does duplicate "moved back, $there in its place: nothing is forgotten" <m
done
begin
printf 'set_lg_dir /tmp\nset_tmp_dir /tmp\n' >L/env/DB_CONFIG
recovers 'a DB_CONFIG in env'
i=0
while [ $i -lt 5 ]; do
	i=$((i + 1))
	for file in L/lock L/env/*; do
		noise "$file"
	done
	delivers "damaged for the ${i}th time"
done
ok 'no more than two damaged ones are kept' test "$(find L -maxdepth 1 -name 'env.bad.*' | wc -l)" -le 2
is "$(find M/tmp -type f | wc -l)" 0 'nothing is left in tmp/'

# A disk that fails for a moment must not cost the records: they are there when it is well again.
if can_trace; then
	for error in EIO EACCES ENOSPC; do
		for file in __db.001 __db.003 ledger.db; do
			begin
			next
			message "$number" >m
			run="strace -o trace.out -P $D/L/env/$file -e trace=openat -e inject=openat:error=$error"
			exits 75 "$error on $file" -o on-ledger-failure=defer <m
			exits 75 "$error on $file, again" -o on-ledger-failure=defer <m
			ok "$error on $file: it did happen" grep -q "$error.*INJECTED" trace.out
			run=
			is "$(find L -name 'env.bad*' | wc -l)" 0 "$error on $file: nothing is set aside"
			does delivered "$error on $file, afterwards" <m
			message golden5 >m
			does duplicate "$error on $file: nothing is forgotten" <m
		done
	done
	# Nor may what a recovery leaves behind that failed in its middle be waited for.
	for nth in 1 2 3 4 5 6 7 8 9 10; do
		rm -rf L trace.out
		next
		message "$number" >m
		run="timeout 3 strace -o trace.out -e trace=getdents64 -e inject=getdents64:error=ENOMEM:when=$nth"
		lda -o on-ledger-failure=defer <m
		ok "no memory to read folder $nth: the recovery ends at once" test "$rc" -ne 124
		run=
		does '(delivered|duplicate)' "no memory to read folder $nth: and mail comes" <m
	done
else
	skip 'a disk that fails' 'strace can not trace here'
fi

# What a killed delivery wrote to the log is made durable before the database is written: a power cut after that would leave a
# database that is ahead of its log, and all records would be lost.
first() { grep -En -m 1 -e "$1" trace.out | cut -d : -f 1; }	# number of the first traced line that has this
if can_trace; then
	begin
	next
	run=$(kill_at pwrite64 5)	# the header, after the log
	lda <m
	ok 'killed after the commit, before it is durable' grep -q 'killed by SIGKILL' trace.out
	run='strace -y -o trace.out -e trace=fsync,fdatasync,pwrite64'
	does helped 'killed after the commit, before it is durable' -o sync=strict <m
	log=$(first 'f(data)?sync.*/env/log\.0000000001>') entry=$(first 'fsync.*/env>') database=$(first 'pwrite64.*/env/ledger\.db>')
	ok 'the log is made durable before the database is written' test "${log:-9999}" -lt "${database:-0}"
	ok 'and its entry as well, with sync = strict' test "${entry:-9999}" -lt "${database:-0}"

	# A repair may put files in the place of others. Which of them are there after a power cut must not be open.
	rm -rf L
	next
	run='strace -y -o trace.out -e trace=fsync'
	does delivered 'a new ledger' <m
	ok 'its entries are durable, whatever sync says' grep -q 'fsync.*/L/env>' trace.out
	ok 'and so is the one of env' grep -q 'fsync.*/L>' trace.out

	# The commit is made durable without the lock. Whoever finds it meanwhile makes it durable before anything is published.
	next
	run=$(kill_at fdatasync 1)
	lda <m
	run="strace -y -o trace.out -e trace=fdatasync,$RENAME"
	does helped 'killed after the lock was given back' <m
	log=$(first 'fdatasync.*/env/log\.0000000001>') rename=$(first '^renameat')
	ok 'the log is made durable before the rename' test "${log:-9999}" -lt "${rename:-0}"
	next
	run='strace -f -o slow.out -e trace=fdatasync -e inject=fdatasync:delay_enter=4000000'
	lda <m &
	slow=$!
	wait_for grep -q fdatasync slow.out
	run=
	next
	does delivered 'while another waits for the disk' -o lock-timeout=1s -o on-ledger-failure=defer <m
	wait $slow
else
	skip 'killed after the commit, before it is durable' 'strace can not trace here'
fi

# What expired is dropped on the way.
rm -rf L M
i=0
while [ $i -lt 150 ]; do
	i=$((i + 1))
	message "first$i" >m
	lda <m
done
is "$(copies) $("$BUILD/dedupdb" -l "$ledger" list | wc -l)" '150 150' '150 messages, 150 records'
sleep 3
i=0
while [ $i -lt 150 ]; do
	i=$((i + 1))
	message "second$i" >m
	lda -o window=1s <m
done
is "$(copies)" 300 '300 messages'
kept=$("$BUILD/dedupdb" -l "$ledger" list | wc -l)
ok 'at most 150 records when the first half has expired' test "$kept" -le 150
ok 'but not none' test "$kept" -ge 1
echo "# records: $kept"
does duplicate 'the last one is known' <m
plan
