#!/bin/sh
# What the scripts with an MTA in front of dedup-lmtpd share. To be sourced after mta.sh.
#
#	lmtpd OPTION...		the server, at /run/dedup-lmtpd.sock of the receiver
#	$D/lmtp.gaps		what the proxy between the MTA and the server saw; the MTA finds it at /run/gap.sock
#
# A script defines `empty` and `flush`, and `copies_of ADDRESS NAME` if its users are virtual.

lmtpd() {
	at receiver /usr/local/sbin/dedup-lmtpd -F -l unix:/run/dedup-lmtpd.sock "$@" 2>"$D/lmtpd.err" &
	wait_for at receiver test -S /run/dedup-lmtpd.sock || diag "$(cat "$D/lmtpd.err")"
}
gap_line() {	# the faulty line between the MTA and the server
	# shellcheck disable=SC2154 # mta.sh sets it
	"$here/gapproxy" --listen "$D/receiver/run/gap.sock" --to "$D/receiver/run/dedup-lmtpd.sock" --log "$D/lmtp.gaps" &
	wait_for test -S "$D/receiver/run/gap.sock"
}
lmtp_users() {	# whom lmtp_gaps writes to, and joe and ann; `plain` gets every copy
	for name in maildir mbox plain joe ann; do
		user $name
	done
	printf 'mailbox = mbox:~/mbox\nlog = file:~/log\n' | put mbox .dedup-lda.conf
	printf 'ledger = none\nlog = file:~/log\n' | put plain .dedup-lda.conf
	echo 'sales: joe' >"$D/receiver/etc/aliases"
}
copies_of() { has "${1%@*}" "$2"; }	# a script with virtual users has one of its own
all_sent() { empty || { flush && empty; }; }
lmtp_cases="cut-1 cut-3 stall-1"
# lmtp_gaps ADDRESS WANTED: messages whose 250 gets lost once or three times; WANTED is once, or each: as often as it was accepted
lmtp_gaps() {
	for c in $lmtp_cases; do
		mail_text "$c-${1%@*}" | submit "gap-$c-${1%@*}@harbour.example" "$1"
	done
	ok "$1: everything is delivered in the end" wait_for all_sent
	for c in $lmtp_cases; do
		accepted=$(grep -Fc "\"sender\": \"gap-$c-${1%@*}@harbour.example\"" "$D/lmtp.gaps")
		ok "$1, $c: accepted ${c#*-} times in vain, then once more" test "$accepted" -ge $((${c#*-} + 1)) || diag "$accepted"
		wanted=1
		[ "$2" = once ] || wanted=$accepted
		is "$(copies_of "$1" "$c-${1%@*}")" "$wanted" "$1, $c: in the mailbox $wanted times"
	done
}
