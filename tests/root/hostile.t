#!/bin/sh
# Things that are no mailboxes: links, FIFOs, sockets, devices, second names and folders in the place of each file that a delivery uses,
# and files that change places while it works. Started by root for the user, and by the user. One clear line and 75, or a delivery where
# it does no harm; nothing is written anywhere else; nothing waits.
# shellcheck source=tests/root/root.sh
. "$(dirname "$0")/root.sh"
message 1 >m
chmod 644 m

# The homes anew: a ledger and a mailbox of joe's that are in use, and what must stay as it is: ann's mailboxes, which everybody can
# write, and other files of joe's.
scene() {
	find /home -mindepth 1 -delete
	cp -a "$D/homes.saved/." /home/
}
prepare() {
	homes
	for owner in ann joe; do
		other=/home/$owner/other
		install -d -o $owner -g $owner -m 755 $other $other/tmp $other/new $other/cur $other/env
		printf 'From o@x Thu Nov 19 12:00:00 2026\n\nold\n\n' >$other/box
		printf '# a comment\n' >$other/conf
		chown $owner:$owner $other/box $other/conf
		chmod 600 $other/conf
	done
	find /home/ann/other -type d -exec chmod 777 {} +
	chmod 666 /home/ann/other/box
	printf 'From o@x Thu Nov 19 12:00:00 2026\n\nold\n\n' >/home/joe/box
	chown joe: /home/joe/box
	message before >in
	for_user joe -o 'mailbox=maildir:~/M' -o 'ledger=bdb:~/L' <in
	is "$rc" 0 'a delivery before'
	rm -f /home/joe/M/new/*
	cp -a /home "$D/homes.saved"
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
	chown joe: socket
}
snapshot() {	# what must not change; /etc/passwd as well
	{ find /home/ann /home/joe/other -exec stat -c '%n %F %s %Y %Z %u %g %a' {} + && find /home/ann /home/joe/other /etc/passwd -type f \
	    -exec sha256sum {} +; } | sort >"$1"
}

# make_thing KIND PLACE LIKE: LIKE is what the other mailbox has for it
make_thing() {
	rm -rf "$2"
	case $1 in
	"a link to another user's") as joe ln -s "/home/ann/other$3" "$2" ;;
	'a link to another of the user') as joe ln -s "/home/joe/other$3" "$2" ;;
	'a link to /etc/passwd') as joe ln -s /etc/passwd "$2" ;;
	'a link to nothing') as joe ln -s /home/joe/other/nothing "$2" ;;
	'a FIFO') as joe mkfifo "$2" ;;
	'a socket') cp -a "$D/socket" "$2" ;;
	/dev/full) mknod "$2" c 1 7 && chown joe: "$2" ;;
	/dev/zero) mknod "$2" c 1 5 && chown joe: "$2" ;;
	"a second name of another user's") ln "/home/ann/other$3" "$2" ;;
	'a second name of another of the user') as joe ln "/home/joe/other$3" "$2" ;;
	'a folder') as joe mkdir "$2" ;;
	'a file') as joe cp /dev/null "$2" ;;
	esac
}
agent() {	# agent OPTION... <message: in both ways; never longer than 20 s
	if [ "$how" = root ]; then
		run='timeout -k 1 20' for_user joe "$@"
	else
		as joe timeout -k 1 20 "$BUILD/dedup-lda" "$@" >"$D/out" 2>"$D/err"
		rc=$?
	fi
	run=
}
# attempt KIND PLACE LIKE OPTION...: deliver with that thing in place
attempt() {
	kind=$1 place=$2 like=$3
	shift 3
	scene
	make_thing "$kind" "$place" "$like"
	snapshot before.list
	agent -o 'mailbox=maildir:~/M' -o 'ledger=bdb:~/L' -o lock-timeout=0s "$@" <m
	snapshot after.list
	name="$how: $place is $kind"
	same after.list before.list "$name: nothing else is touched"
}
refused() {	# refused REASON: the attempt was
	deferred "$1" "$name"
	is "$(grep -rlD skip '^Message-ID: <1@' /home/joe/M /home/joe/box 2>/dev/null | wc -l)" 0 "$name: nothing is delivered"
}
arrived() {	# the attempt did, into the Maildir, once
	is "$rc $(find /home/joe/M/new -type f | wc -l)" '0 1' "$name: delivered" || diag "$(head -n 3 err)"
	is "$(wc -c <err)" 0 "$name: in silence"
}
each() {	# each KINDS FUNCTION: call it with every kind, one a line
	while read -r each_kind; do
		"$2" "$each_kind" </dev/null
	done <<-END
	$1
	END
}
links="a link to another user's
a link to another of the user
a link to /etc/passwd
a link to nothing"
things="a FIFO
a socket
/dev/full
/dev/zero"
names="a second name of another user's
a second name of another of the user"

maildir_itself() { attempt "$1" /home/joe/M '' && refused '/home/joe/M'; }
maildir_tmp() { attempt "$1" /home/joe/M/tmp /tmp && refused '/home/joe/M'; }
maildir_new() { attempt "$1" /home/joe/M/new /new && refused '/home/joe/M'; }
maildir_cur() { attempt "$1" /home/joe/M/cur /cur && arrived; }
maildir_folder() { attempt "$1" /home/joe/M/.work '' -m work && refused '/home/joe/M/.work'; }
mbox() { attempt "$1" /home/joe/box /box -o 'mailbox=mbox:~/box' && refused 'mbox /home/joe/box: '; }
dotlock() { attempt "$1" /home/joe/box.lock /box -o 'mailbox=mbox:~/box' && refused 'lock /home/joe/box: somebody else holds a dotlock'; }
ledger() {
	attempt "$1" /home/joe/L '' && arrived
	attempt "$1" /home/joe/L '' -o on-ledger-failure=defer && refused 'ledger /home/joe/L'
}
ledger_lock() {
	attempt "$1" /home/joe/L/lock /box && arrived
	attempt "$1" /home/joe/L/lock /box -o on-ledger-failure=defer && refused 'ledger /home/joe/L'
}
ledger_env() {
	attempt "$1" /home/joe/L/env /env -o on-ledger-failure=defer && arrived
	agent -o 'mailbox=maildir:~/M' -o 'ledger=bdb:~/L' -o log=stderr <m
	matches "$(cat err)" '^action=duplicate ' "$name: the ledger is whole again"
}
ledger_db() { attempt "$1" /home/joe/L/env/ledger.db /box && arrived; }
ledger_log() { attempt "$1" /home/joe/L/env/log.0000000001 /box && arrived; }
ledger_region() { attempt "$1" /home/joe/L/env/__db.001 /box && arrived; }
log() { attempt "$1" /home/joe/log /box -o log=file:~/log && refused 'log /home/joe/log'; }
log_device() { attempt "$1" /home/joe/log /box -o log=file:~/log && arrived; }
conf() { attempt "$1" /home/joe/.dedup-lda.conf /conf && refused '/home/joe/.dedup-lda.conf: '; }
conf_name() { attempt "$1" /home/joe/.dedup-lda.conf /conf && arrived; }

prepare
for how in root user; do
	if [ "$how" = user ]; then	# the same code runs: one of each sort will do
		links='a link to another of the user' things='a FIFO' names='a second name of another of the user'
	fi
	for part in itself tmp new cur folder; do
		each "$links
$things
a file" maildir_$part
	done
	for part in mbox dotlock ledger_lock; do
		each "$links
$things
$names
a folder" $part
	done
	for part in ledger ledger_env; do
		each "$links
$things
a file" $part
	done
	for part in db log region; do
		each "$links
$things
a folder" ledger_$part
	done
	each "$links
a FIFO
a socket
$names
a folder" log
	each '/dev/full
/dev/zero' log_device
	each "$links
$things
a folder" conf
done
how=root
conf "a second name of another user's"
conf_name 'a second name of another of the user'

# Races: the place and a link change places all the time. Whatever the agent sees, nothing lands behind the link.
# race PLACE LIKE OPTION...: ROUNDS deliveries
ROUNDS=20
race() {
	place=$1 like=$2 done=0
	shift 2
	scene
	[ -e "$place" ] || as joe cp /dev/null "$place"
	as joe ln -s "/home/joe/other$like" "$place.link"
	snapshot before.list
	swap "$place" "$place.link" 2>swap.err &
	swapper=$!
	i=0
	while [ $i -lt $ROUNDS ]; do
		i=$((i + 1))
		message "race$i" >in
		agent -o 'mailbox=maildir:~/M' -o 'ledger=bdb:~/L' -o lock-timeout=1s "$@" <in
		case $rc in
		0) done=$((done + 1)) ;;
		75) ;;
		*) result 1 "$how: race for $place: exit $rc" ;;
		esac
	done
	kill $swapper
	wait $swapper 2>/dev/null
	is "$(cat swap.err)" '' "$how: race for $place: they did change places"
	snapshot after.list
	same after.list before.list "$how: race for $place: nothing is written behind the link; $done of $ROUNDS delivered"
}
for how in root user; do
	race /home/joe/M ''
	race /home/joe/M/tmp /tmp
	race /home/joe/M/new /new
	race /home/joe/box /box -o 'mailbox=mbox:~/box'
	race /home/joe/L ''
	race /home/joe/L/lock /box
	race /home/joe/log /box -o log=file:~/log
done

# The same race against a program that does not look: it must lose, or these tests see nothing.
scene
as joe ln -s /home/joe/other/new /home/joe/M/new.link
swap /home/joe/M/new /home/joe/M/new.link 2>swap.err &
swapper=$!
i=0
while [ $i -lt 500 ] && [ ! -e /home/joe/other/new/message ]; do
	i=$((i + 1))
	as joe sh -c 'cd /home/joe && [ ! -h M/new ] && echo x >M/new/message' 2>/dev/null
done
kill $swapper
wait $swapper 2>/dev/null
ok "a program that looks first and then writes: its message lands elsewhere (try $i)" test -e /home/joe/other/new/message
plan
