#!/bin/sh
# Postfix, dedup-lda and a real Dovecot behind it, with examples/dovecot: Dovecot gets each message once.
receiver='dovecot-lmtpd dovecot-core postfix'
# shellcheck source=tests/mta/mta.sh
. "$(dirname "$0")/mta.sh"
# shellcheck source=tests/mta/postfix.sh
. "$here/postfix.sh"

dovecot_log=$D/receiver/var/log/dovecot.log
box() {	# box USER NAME [PATTERN]: copies of that message in Dovecot's mailbox
	find "$D/receiver/var/vmail/meadow.example/$1" -type f -path "${3:-*/[cn][ue][rw]/*}" -exec grep -l "^Message-ID: <$2@" {} + 2>/dev/null | wc -l
}
saved() { grep -c "msgid=<$1@harbour.example>: saved mail to" "$dovecot_log"; }	# how often Dovecot says so
dovecot_up() { at receiver dovecot && wait_for test -S "$D/receiver/run/dovecot/lmtp"; }

start_sender
machine receiver "$receiver_image"
example=$here/../../examples/dovecot
for file in main master; do
	cat "$example/$file.cf" >>"$D/receiver/etc/postfix/$file.cf"
done
cp "$example/dedup-lda-dovecot.conf" "$D/receiver/etc/"
conf=$D/receiver/etc/dedup-lda-dovecot.conf
echo 'log = file:/var/vmail/log' >>"$conf"
{ cat "$example/dovecot.conf" && echo 'log_path = /var/log/dovecot.log'; } >"$D/receiver/etc/dovecot/dovecot.conf"
printf '%s::::::\n' joe@meadow.example ann@meadow.example >"$D/receiver/etc/dovecot/users"
sed -n 's/^#	//p' "$example/main.cf" >setup
is "$(wc -l <setup)" 3 'three commands'
ok 'they work' at receiver sh -ec "$(cat setup)"
postfix_common receiver
at receiver postconf -e myhostname=mail.meadow.example mydestination=
for who in joe ann gone never; do echo "$who@meadow.example x"; done >"$D/receiver/etc/postfix/virtual-mailboxes"
at receiver postmap /etc/postfix/virtual-mailboxes
ok 'Dovecot listens' dovecot_up
postfix_start
sender_ready

# The connection to the MTA breaks after its 250.
settled() { sent && empty; }
for c in $cases; do
	mail_text "$c" | send "gap-$c-joe@harbour.example" joe@meadow.example
done
ok 'everything is sent' wait_for settled
for c in $cases; do
	is "$(accepted "gap-$c-joe@harbour.example")" $((${c#*-} + 1)) "$c: accepted more than once"
	is "$(box joe "$c") $(saved "$c")" '1 1' "$c: Dovecot got it once" || diag "$(tail -n 5 "$dovecot_log")"
done

mail_text both | submit -n 3 renee@harbour.example joe@meadow.example ann@meadow.example
mail_text folder | submit -n 2 renee@harbour.example joe+work@meadow.example
mail_text null | submit '' ann@meadow.example
ok 'delivered' wait_for empty
is "$(box joe both) $(box ann both)" '1 1' 'three copies for two users: each has it once'
is "$(box joe folder) $(box joe folder '*/.work/*/1*')" '1 1' 'an extension: once, in its folder'
find "$D/receiver/var/vmail/meadow.example/ann" -type f -path '*/new/*' -exec sed '/^$/q' {} \; | grep -E '^(Return-Path|Delivered-To):' |
	LC_ALL=C sort >envelope
is "$(cat envelope)" 'Delivered-To: ann@meadow.example
Delivered-To: ann@meadow.example
Return-Path: <>
Return-Path: <renee@harbour.example>' 'the envelope is told once, by Dovecot'
{ mail_text large && yes 'a line of a large message' | head -c 5000000 && echo; } >big
submit -n 2 renee@harbour.example joe@meadow.example <big
ok 'delivered' wait_for empty
is "$(box joe large)" 1 'a large message: once'
find "$D/receiver/var/vmail/meadow.example/joe" -type f -path '*/new/*' -exec grep -l '<large@' {} + >name
is "$(sed '1,/^Message-ID/d' "$(cat name)" | tail -n +2 | cksum)" "$(tail -n +3 big | cksum)" 'and its bytes are whole'

# Dovecot is down, or does not know the recipient: the message waits, and comes once.
at receiver doveadm stop
mail_text down | submit -n 2 down@harbour.example joe@meadow.example
ok 'Dovecot is down: the message waits' wait_for waiting down
ok 'it is back' dovecot_up
flush
ok 'the queue is empty' wait_for empty
is "$(box joe down)" 1 'it came once'
mail_text later | submit -n 2 later@harbour.example gone@meadow.example
ok 'a user unknown to Dovecot: the message waits' wait_for waiting later
matches "$(grep later "$D/receiver/var/vmail/log" | tail -n 1)" 'action=deferred .*says: 550 5\.1\.1 ' 'the log has what Dovecot says'
is "$(grep -c 'status=bounced' "$log")" 0 'nothing bounced so far'
echo 'gone@meadow.example::::::' >>"$D/receiver/etc/dovecot/users"
again() { flush && empty; }	# Dovecot looks at its file once in a second
ok 'the user is known: the queue is empty' wait_for again
is "$(box gone later)" 1 'it came once'
echo 'unknown-user = reject' >>"$conf"
mail_text refused | submit refused@harbour.example never@meadow.example
bounced() { grep -q 'to=<never@meadow.example>.*dsn=5.1.1, status=bounced' "$log"; }
ok 'with unknown-user = reject it is returned' wait_for bounced
plan
