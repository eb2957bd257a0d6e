#!/bin/sh
# A disk that is really full, of bytes or of files, below the mailbox, the ledger or both: 75 and nothing half done, or a delivery without a
# ledger, as the configuration wants it. With room again each message is there once.
# shellcheck source=tests/root/root.sh
. "$(dirname "$0")/root.sh"
homes
# Random bytes for the fingerprint's sake, larger than the free rest of a block.
{ message 1 && head -c 300000 /dev/urandom | od -An -tx1; } >m
disk=/home/joe/disk
new_disk() {	# new_disk OPTION...: a small one, where mailbox and ledger have been in use
	! mountpoint -q $disk || umount $disk
	homes
	as joe mkdir $disk
	mount -t tmpfs -o "uid=$(id -u joe),gid=$(id -g joe),mode=700,$1" tmpfs $disk || fail 'can not mount a tmpfs'
	shift
	message before >in
	for_user joe "$@" <in
	is "$rc" 0 "$title: a delivery before" || diag "$(cat err)"
}
fill() { as joe sh -c "cat /dev/zero >$disk/filler" 2>fill.err; }
fill_names() { as joe sh -c "n=0; while : >$disk/filler.\$n; do n=\$((n + 1)); done" 2>fill.err; }
has() { find $disk /home/joe/M /home/joe/box -type f ! -path '*/tmp/*' -exec grep -c '^Message-ID: <1@' {} + 2>/dev/null | awk -F: '{ n += $NF } END { print n + 0 }'; }
staged() { find $disk /home/joe/M -path '*/tmp/*' -type f 2>/dev/null | wc -l; }
room() { rm -f $disk/filler $disk/filler.*; }

# play WHAT FILL DISK CONFIGURATION...: deliver to a full disk, twice, then with room
play() {
	title=$1 fill=$2 options=$3
	shift 3
	new_disk "$options" "$@"
	$fill
	ok "$title: it is full" test -s fill.err
	for time in first again; do
		for_user joe "$@" <m
		deferred 'No space left on device' "$title, $time"
		is "$(has) $(staged)" '0 0' "$title, $time: nothing visible, nothing left"
	done
	room
	for_user joe "$@" <m
	is "$rc $(has)" '0 1' "$title: with room it is delivered"
	for_user joe "$@" <m
	is "$rc $(has)" '0 1' "$title: and is a duplicate then"
	is "$(as joe dedupdb -l "${ledger:?}" verify >verified; sed -n 's/^verdict *//p' verified)" well "$title: the ledger is sound" || diag "$(cat verified)"
}
PATH=$BUILD:$PATH
on_disk=$disk/L beside=/home/joe/L
size=size=4m
ledger=bdb:$on_disk
play 'all on a full disk, Maildir' fill $size -o "mailbox=maildir:$disk/M" -o ledger=$ledger
play 'all on a full disk, mbox' fill $size -o "mailbox=mbox:$disk/box" -o ledger=$ledger
ledger=bdb:$beside
play 'a Maildir on a full disk' fill $size -o "mailbox=maildir:$disk/M" -o ledger=$ledger
play 'an mbox on a full disk' fill $size -o "mailbox=mbox:$disk/box" -o ledger=$ledger
play 'a Maildir on a disk without room for names' fill_names size=8m,nr_inodes=64 -o "mailbox=maildir:$disk/M" -o ledger=$ledger

# A full ledger has room for a few records more, in what it has of the disk already. So there are many messages: while the disk is full, and
# all of them again with room, twice.
MESSAGES=40
count_of() { find /home/joe/M /home/joe/box -type f ! -path '*/tmp/*' -exec grep -h "^Message-ID: <$1@" {} + 2>/dev/null | wc -l; }
counts() { for n in $(seq $MESSAGES); do count_of "$n"; done | sort -n | uniq -c | awk '{ printf "%s%s times", s, $2; s = ", " }'; }
all() {	# all OPTION...: deliver all of them; prints the exit codes
	for n in $(seq $MESSAGES); do
		message "$n" >in
		for_user joe -o ledger=bdb:$on_disk -o log=file:/home/joe/log "$@" <in
		echo "$rc"
	done | sort -u | tr '\n' ' ' | sed 's/ $//'
}
without() { grep -c 'action=[a-z]* msgid=<[0-9]*@.*ledger=.*No space' /home/joe/log; }	# deliveries without a ledger
for kind in maildir:/home/joe/M mbox:/home/joe/box; do
	title="a full ledger, ${kind%%:*}, defer"
	new_disk $size -o ledger=bdb:$on_disk -o mailbox=$kind
	fill
	matches "$(all -o mailbox=$kind -o on-ledger-failure=defer)" '(^| )75$' "$title: exit 75"
	is "$(counts)" "0 times, 1 times" "$title: some are there, none twice"
	room
	is "$(all -o mailbox=$kind -o on-ledger-failure=defer)" 0 "$title: with room, all again: exit 0"
	is "$(counts)" '1 times' "$title: each is there once"
	title="a full ledger, ${kind%%:*}, deliver"
	new_disk $size -o ledger=bdb:$on_disk -o mailbox=$kind
	fill
	# a page of a mapped file that finds no block kills the agent: the message waits, and the next one is delivered without a ledger
	matches "$(all -o mailbox=$kind)" '^0( 75)?$' "$title: exit 0, but perhaps for one"
	matches "$(counts)" '^(0 times, )?1 times$' "$title: none is there twice"
	failed=$(without)
	ok "$title: the log says why $failed have no record, or none that says delivered" test "$failed" -gt 0
	room
	is "$(find $on_disk -name 'env.bad*' | wc -l)" 0 "$title: no ledger is set aside: a full disk is no damage"
	message before >in
	for_user joe -o ledger=bdb:$on_disk -o mailbox=$kind -o log=file:/home/joe/log <in
	matches "$(tail -n 1 /home/joe/log)" 'action=duplicate msgid=<before@' "$title: it knows what it knew"
	is "$(all -o mailbox=$kind)" 0 "$title: with room, all again: exit 0"
	twice=$(for n in $(seq $MESSAGES); do count_of "$n"; done | grep -c '^2$')
	matches "$(counts)" '^1 times(, 2 times)?$' "$title: none is lost, none is there more than twice"
	ok "$title: a copy came only of those without a record: $twice" test "$twice" -le "$failed"
	is "$(all -o mailbox=$kind)" 0 "$title: and again: exit 0"
	is "$(for n in $(seq $MESSAGES); do count_of "$n"; done | grep -c '^2$')" "$twice" "$title: and again: no other copy"
	as joe dedupdb -l bdb:$on_disk verify >verified
	is "$(sed -n 's/^verdict *//p' verified)" well "$title: the ledger is sound" || diag "$(cat verified)"
done
umount $disk
plan
