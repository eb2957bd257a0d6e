#!/bin/sh
# The recipes of examples/procmail and examples/maildrop: what comes twice is in its folder once.
receiver='procmail maildrop'
# shellcheck source=tests/mta/mta.sh
. "$(dirname "$0")/mta.sh"

machine receiver "$receiver_image"
as() {	# as USER COMMAND... in the home
	who=$1
	shift
	chroot "$D/receiver" setpriv --reuid="$who" --regid="$who" --clear-groups env -i HOME="/home/$who" LOGNAME="$who" PATH=/usr/bin:/bin \
		sh -c 'cd && exec "$@"' sh "$@"
}
cases() {	# cases USER FILTER...: it is run for each message
	me=$1 home=$D/receiver/home/$1
	folders="$home/Maildir $home/Maildir/.boats"
	for folder in $folders; do
		mkdir -p "$folder/new" "$folder/cur" "$folder/tmp"
	done
	own "$me"
	mail_text plain >m.plain
	mail_text list 'List-Id: <boats.harbour.example>' >m.list
	for m in plain plain list list; do
		as "$@" <m.$m >out 2>&1
		is $? 0 "$me: $m is taken" || diag "$(cat out)"
	done
	is "$(find "$home/Maildir/new" -type f -exec grep -l '<plain@' {} + | wc -l)" 1 "$me: once in the inbox"
	is "$(find "$home/Maildir/.boats/new" -type f -exec grep -l '<list@' {} + | wc -l)" 1 "$me: once in the folder"
	is "$(find "$home/Maildir" -type f | wc -l)" 2 "$me: and nowhere else"
	chmod 500 "$home/Maildir/tmp"
	mail_text later >m.later
	as "$@" <m.later >out 2>&1
	is $? 75 "$me: what can't be delivered is kept"
	chmod 700 "$home/Maildir/tmp"
	mv "$agent" "$agent.away"
	as "$@" <m.later >out 2>&1
	is $? 75 "$me: and without the program"
	mv "$agent.away" "$agent"
	is "$(grep -rlc '<later@' "$home" "$D/receiver/var/mail/" | grep -v '/log$')" '' "$me: it is nowhere"
	as "$@" <m.later >out 2>&1 && as "$@" <m.later >out 2>&1
	is "$(has "$me" later)" 1 "$me: then it is delivered once"
}

user proc
put proc .procmailrc <"$here/../../examples/procmail/procmailrc"
cases proc procmail
user drop
put drop .mailfilter <"$here/../../examples/maildrop/mailfilter"
chmod 600 "$D/receiver/home/drop/.mailfilter"
cases drop maildrop -d drop
plan
