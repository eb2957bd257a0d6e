#!/bin/sh
# OpenSMTPD in front of dedup-lmtpd, with examples/lmtp: users of this system.
receiver=opensmtpd
# shellcheck source=tests/mta/mta.sh
. "$(dirname "$0")/mta.sh"
# shellcheck source=tests/mta/lmtp.sh
. "$here/lmtp.sh"

log=$D/smtpd.log
empty() { [ -z "$(at receiver smtpctl show queue)" ]; }
flush() { at receiver smtpctl schedule all >schedule.out; }

machine receiver "$receiver_image"
{
	echo 'action "gaps" lmtp "/run/gap.sock"'
	for name in maildir mbox plain; do
		echo "match from any for rcpt-to \"$name@meadow.example\" action \"gaps\""
	done
	cat "$here/../../examples/lmtp/smtpd.conf"
} >"$D/receiver/etc/smtpd.conf"
echo meadow.example >"$D/receiver/etc/mailname"
lmtp_users
lmtpd -w 50
gap_line
at receiver smtpd -d >"$log" 2>&1 &
ok 'the receiver listens' wait_for listens 25

mail_text both | submit -n 2 renee@harbour.example joe@meadow.example ann@meadow.example
mail_text alias | submit -n 2 '' sales@meadow.example
mail_text extension | submit renee@harbour.example ann+work@meadow.example
ok 'delivered' wait_for empty || diag "$(tail -n 5 "$log")"
is "$(has joe both) $(has ann both)" '1 1' 'sent twice to two users: each has it once'
is "$(has joe alias)" 1 'sent twice to an alias: once'
is "$(has ann extension)" 1 'an extension is left out'

# smtpd's client waits long for a reply that never comes, so its line only breaks.
lmtp_cases='cut-1 cut-3'
lmtp_gaps maildir@meadow.example once
lmtp_gaps mbox@meadow.example once
lmtp_gaps plain@meadow.example each
ok 'nothing bounced' not grep -E 'result="?PermFail|bounce' "$log"
plan
