#!/bin/sh
# Virtual users under Postfix, with examples/virtual: one system user, a mailbox for each address.
receiver=postfix
# shellcheck source=tests/mta/mta.sh
. "$(dirname "$0")/mta.sh"
# shellcheck source=tests/mta/postfix.sh
. "$here/postfix.sh"

copies_of() { virtual_copies "$@"; }

machine receiver "$receiver_image"
for file in main master; do
	cat "$here/../../examples/virtual/$file.cf" >>"$D/receiver/etc/postfix/$file.cf"
done
cp "$here/../../examples/virtual/dedup-lda-virtual.conf" "$D/receiver/etc/"
sed -n 's/^#	//p' "$here/../../examples/virtual/main.cf" >setup
is "$(wc -l <setup)" 3 'three commands'
ok 'they work' at receiver sh -ec "$(cat setup)"
postfix_common receiver
at receiver postconf -e myhostname=mail.meadow.example mydestination= 'virtual_alias_maps=inline:{{sales@meadow.example=ann@meadow.example}}'
printf '%s x\n' joe@meadow.example ann@meadow.example >"$D/receiver/etc/postfix/virtual-mailboxes"
at receiver postmap /etc/postfix/virtual-mailboxes
postfix_start

virtual_cases
cat "$D/receiver/var/vmail/meadow.example/ann/new/"* >all
is "$(grep '^Return-Path:' all | sort)" 'Return-Path: <>
Return-Path: <renee@harbour.example>' 'the envelope sender'
is "$(find "$D/receiver/var/vmail/meadow.example" -mindepth 1 -maxdepth 1 | wc -l)" 2 'and there are two mailboxes'
ok 'an address that does not exist is refused' not submit renee@harbour.example bob@meadow.example <setup 2>refused

# What cron is to run.
sed -n 's/^#   7 \* \* \* \*  root  //p' "$here/../../examples/virtual/main.cf" >cron
ok 'a command for cron' test "$(wc -l <cron)" -eq 1
ok 'it works' at receiver sh -ec "$(cat cron)"

# Trouble: it stays in the queue.
keeps() {	# keeps NAME
	mail_text "$1" | submit -n 2 "$1@harbour.example" joe@meadow.example
	ok "$1: the message waits" wait_for waiting "$1"
	repair
	flush
	ok "$1, repaired: the queue is empty" wait_for empty
	is "$(copies_of joe@meadow.example "$1")" 1 "$1, repaired: delivered once"
}
mv "$D/receiver/var/vmail/meadow.example" "$D/receiver/var/vmail/away"
repair() { mv "$D/receiver/var/vmail/away" "$D/receiver/var/vmail/meadow.example"; }
keeps no-domain
mv "$agent" "$agent.away"
repair() { mv "$agent.away" "$agent"; }
keeps no-program
mv "$agent" "$agent.away"
printf '#!/bin/sh\nkill -9 $$\n' >"$agent"
chmod 755 "$agent"
keeps killed
is "$(grep -c 'status=bounced' "$log")" 0 'nothing bounced'
plan
