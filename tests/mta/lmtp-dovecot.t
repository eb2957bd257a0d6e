#!/bin/sh
# Postfix, dedup-lmtpd and a real Dovecot behind it, with examples/lmtp and examples/dovecot. The line between Postfix and dedup-lmtpd breaks after
# our 250: Dovecot gets each message once. Without dedup-lmtpd in between it gets every copy.
receiver='dovecot-lmtpd dovecot-core postfix'
# shellcheck source=tests/mta/mta.sh
. "$(dirname "$0")/mta.sh"
# shellcheck source=tests/mta/postfix.sh
. "$here/postfix.sh"
# shellcheck source=tests/mta/lmtp.sh
. "$here/lmtp.sh"

dovecot_log=$D/receiver/var/log/dovecot.log
copies_of() {	# copies_of ADDRESS NAME: in Dovecot's mailbox
	find "$D/receiver/var/vmail/${1#*@}/${1%@*}" -type f -path '*/[cn][ue][rw]/*' -exec grep -l "^Message-ID: <$2@" {} + 2>/dev/null | wc -l
}
saved() { grep -c "lmtp(${1%@*}@.*msgid=<$2@harbour.example>: saved mail to" "$dovecot_log"; }	# the same: how often Dovecot says so
dovecot_up() { at receiver dovecot && wait_for test -S "$D/receiver/run/dovecot/lmtp"; }

machine receiver "$receiver_image"
example=$here/../../examples/lmtp
cat "$example/main.cf" >>"$D/receiver/etc/postfix/main.cf"
cp "$example/dedup-lmtpd-dovecot.conf" "$D/receiver/etc/dedup-lmtpd.conf"
echo 'log = file:/var/vmail/log' >>"$D/receiver/etc/dedup-lmtpd.conf"
{ cat "$example/../dovecot/dovecot.conf" && echo 'log_path = /var/log/dovecot.log'; } >"$D/receiver/etc/dovecot/dovecot.conf"
postfix_common receiver
# `gap` has the faulty line between Postfix and dedup-lmtpd, `bare` between Postfix and Dovecot.
at receiver postconf -e myhostname=mail.meadow.example mydestination= lmtp_data_done_timeout=3s minimal_backoff_time=1s maximal_backoff_time=1s \
	'transport_maps=inline:{{gap@meadow.example=lmtp:unix:private/gap}, {bare@meadow.example=lmtp:unix:private/bare}}' \
	lmtp_destination_concurrency_failed_cohort_limit=1000
private=$D/receiver/var/spool/postfix/private
for who in joe ann gap bare gone; do
	echo "$who@meadow.example x" >>"$D/receiver/etc/postfix/virtual-mailboxes"
	[ $who = gone ] || echo "$who@meadow.example::::::" >>"$D/receiver/etc/dovecot/users"
done
at receiver postmap /etc/postfix/virtual-mailboxes
postfix_start
sed -n 's/^#	//p' "$example/main.cf" >setup
ok 'the commands in the example work' at receiver sh -ec "PATH=/usr/local/sbin:\$PATH; $(cat setup)"
ok 'Dovecot listens' dovecot_up
for who in gap bare; do
	to=$private/dedup-lmtp
	[ $who = gap ] || to=$D/receiver/run/dovecot/lmtp
	"$here/gapproxy" --listen "$private/$who" --to "$to" --log "$D/lmtp.gaps" &
	wait_for test -S "$private/$who"
done

# The connection breaks after our 250.
lmtp_gaps bare@meadow.example each
lmtp_gaps gap@meadow.example once
for c in $lmtp_cases; do
	is "$(saved gap@meadow.example "$c-gap")" 1 "gap@meadow.example, $c: Dovecot was given it once"
done
matches "$(cat "$D/receiver/var/vmail/log")" 'action=duplicate .*cut-3-gap@' 'the log says what became of the copies'

# Several recipients in one transaction, extensions, and a large message.
mail_text both | submit -n 3 renee@harbour.example joe@meadow.example ann@meadow.example
mail_text folder | submit -n 2 renee@harbour.example joe+work@meadow.example
{ mail_text large && yes 'a line of a large message' | head -c 5000000 && echo; } >big
submit -n 2 renee@harbour.example joe@meadow.example <big
ok 'delivered' wait_for empty
is "$(copies_of joe@meadow.example both) $(copies_of ann@meadow.example both)" '1 1' 'three copies for two users: each has it once'
is "$(copies_of joe@meadow.example folder) $(find "$D/receiver/var/vmail/meadow.example/joe" -type f -path '*/.work/*/1*' | wc -l)" '1 1' \
	'an extension: once, in its folder'
is "$(copies_of joe@meadow.example large)" 1 'a large message: once'
find "$D/receiver/var/vmail/meadow.example/joe" -type f -path '*/new/*' -exec grep -l '<large@' {} + >name
is "$(sed '1,/^Message-ID/d' "$(cat name)" | tail -n +2 | cksum)" "$(tail -n +3 big | cksum)" 'and its bytes are whole'
find "$D/receiver/var/vmail/meadow.example/ann" -type f -path '*/new/*' -exec sed '/^$/q' {} \; | grep -E '^(Return-Path|Delivered-To):' |
	LC_ALL=C sort >envelope
is "$(cat envelope)" 'Delivered-To: ann@meadow.example
Return-Path: <renee@harbour.example>' 'the envelope is told once, by Dovecot'

# Dovecot is down, or does not know the recipient: the message waits, and comes once.
at receiver doveadm stop
mail_text down | submit -n 2 down@harbour.example joe@meadow.example
ok 'Dovecot is down: the message waits' wait_for waiting down
ok 'it is back' dovecot_up
ok 'the queue is empty' wait_for all_sent
is "$(copies_of joe@meadow.example down)" 1 'it came once'
mail_text later | submit -n 2 later@harbour.example gone@meadow.example joe@meadow.example
ok 'a user unknown to Dovecot: the message waits' wait_for waiting later
is "$(copies_of joe@meadow.example later)" 1 'the other recipient has it'
matches "$(grep 'to=<gone@.*status=deferred' "$log" | tail -n 1)" 'status=deferred .*451 4\.3\.0 .*550 5\.1\.1 ' 'Postfix logs what Dovecot says'
echo 'gone@meadow.example::::::' >>"$D/receiver/etc/dovecot/users"
ok 'the user is known: the queue is empty' wait_for all_sent
is "$(copies_of gone@meadow.example later) $(copies_of joe@meadow.example later)" '1 1' 'it came once, and not again to the other one'
is "$(grep -c 'status=bounced' "$log")" 0 'nothing bounced'
plan
