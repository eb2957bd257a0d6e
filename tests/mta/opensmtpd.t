#!/bin/sh
# OpenSMTPD, with examples/opensmtpd: what a receiver makes of a message whose 250 gets lost.
# shellcheck disable=SC2016 # no shell shall expand these
receiver=opensmtpd
# shellcheck source=tests/mta/mta.sh
. "$(dirname "$0")/mta.sh"

log=$D/smtpd.log
control() { at receiver smtpctl "$@"; }
empty() { [ -z "$(control show queue)" ]; }
waiting() { control show queue | grep "|$1@harbour.example|" | grep -Eq '\|[1-9][0-9]*\|(pending|inflight)\|'; }
flush() { control schedule all >schedule.out; }

start_sender
machine receiver "$receiver_image"
{
	# `plain` is delivered to by smtpd itself.
	echo 'action "plain" maildir'
	echo 'match from any for rcpt-to "plain@meadow.example" action "plain"'
	cat "$here/../../examples/opensmtpd/smtpd.conf"
} >"$D/receiver/etc/smtpd.conf"
echo meadow.example >"$D/receiver/etc/mailname"
users
at receiver smtpd -d >"$log" 2>&1 &
ok 'the receiver listens' wait_for listens 25
receiver_cases

# What a shell would make of an address.
printf '#!/bin/sh\n>"$HOME/ran"\n' | put joe evil
chmod 755 "$D/receiver/home/joe/evil"
mail_text evil | submit renee@harbour.example 'joe+`~/evil`|~/evil@meadow.example'
ok 'delivered' wait_for empty
is "$(has joe evil)" 1 'an address with a command in it'
ok 'it is not run' not test -e "$D/receiver/home/joe/ran"

control pause mda >pause.out
crowd
is "$(control show queue | wc -l)" 40 'all wait'
control resume mda >pause.out
crowd_expect
trouble_cases
ok 'nothing bounced' not grep -E 'result="?PermFail|bounce' "$log"
plan
