#!/bin/sh
# Postfix in front of dedup-lmtpd, with examples/lmtp: virtual users.
receiver=postfix
# shellcheck source=tests/mta/mta.sh
. "$(dirname "$0")/mta.sh"
# shellcheck source=tests/mta/postfix.sh
. "$here/postfix.sh"
# shellcheck source=tests/mta/lmtp.sh
. "$here/lmtp.sh"

copies_of() { virtual_copies "$@"; }

machine receiver "$receiver_image"
cat "$here/../../examples/lmtp/main.cf" >>"$D/receiver/etc/postfix/main.cf"
cp "$here/../../examples/lmtp/dedup-lmtpd.conf" "$D/receiver/etc/"
postfix_common receiver
at receiver postconf -F 'lmtp/unix/chroot=y'
at receiver postconf -e myhostname=mail.meadow.example mydestination= 'virtual_alias_maps=inline:{{sales@meadow.example=ann@meadow.example}}' \
	'transport_maps=inline:{gap@meadow.example=lmtp:unix:private/gap}' lmtp_data_done_timeout=3s minimal_backoff_time=1s maximal_backoff_time=1s \
	lmtp_destination_concurrency_failed_cohort_limit=1000
printf '%s x\n' joe@meadow.example ann@meadow.example gap@meadow.example >"$D/receiver/etc/postfix/virtual-mailboxes"
at receiver postmap /etc/postfix/virtual-mailboxes
postfix_start
sed -n 's/^#	//p' "$here/../../examples/lmtp/main.cf" >setup
is "$(wc -l <setup)" 5 'five commands'
ok 'they work' at receiver sh -ec "PATH=/usr/local/sbin:\$PATH; $(cat setup)"
ok 'the server listens' at receiver test -S /var/spool/postfix/private/dedup-lmtp
ln -s /var/spool/postfix/private/dedup-lmtp "$D/receiver/run/dedup-lmtpd.sock"
"$here/gapproxy" --listen "$D/receiver/var/spool/postfix/private/gap" --to "$D/receiver/var/spool/postfix/private/dedup-lmtp" \
	--log "$D/lmtp.gaps" &

virtual_cases
ok 'Postfix logs the reply' grep -q 'status=sent (250 2.0.0 [0-9a-f-]*: duplicate)' "$log"
ok 'the numbers for Prometheus' wait_for grep -q '^dedup_lmtpd_duplicates_total [1-9]' "$D/receiver/run/dedup-lmtpd/stats.prom"

lmtp_gaps gap@meadow.example once

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
# shellcheck disable=SC2046 # the master and its workers
kill -9 $(pgrep -x dedup-lmtpd)
repair() { at receiver sh -ec "PATH=/usr/local/sbin:\$PATH; $(tail -n 1 setup)"; }
keeps killed
is "$(grep -c 'status=bounced' "$log")" 0 'nothing bounced'
plan
