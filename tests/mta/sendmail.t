#!/bin/sh
# Sendmail, with examples/sendmail: what a receiver makes of a message whose 250 gets lost.
receiver='sendmail-bin sendmail-cf m4'
# shellcheck source=tests/mta/mta.sh
. "$(dirname "$0")/mta.sh"

log=$D/sendmail.log
queue() { at receiver sendmail -bp; }
empty() { queue | grep -q 'is empty'; }
waiting() { queue | tr '\n' ' ' | grep -Eq "<$1@harbour.example> *\([^)]*\)"; }
flush() { at receiver sendmail -q >>"$log" 2>&1; }

start_sender
machine receiver "$receiver_image"
{
	cat <<-'END'
	OSTYPE(`debian')
	define(`confDOMAIN_NAME', `meadow.example')
	define(`confDELIVERY_MODE', `background')
	define(`confTO_IDENT', `0')
	define(`confDONT_PROBE_INTERFACES', `True')
	define(`confMAX_DAEMON_CHILDREN', `0')
	define(`confREFUSE_LA', `10000')
	define(`confQUEUE_LA', `10000')
	define(`confDELAY_LA', `10000')
	FEATURE(`nocanonify')
	FEATURE(`accept_unresolvable_domains')
	LOCAL_DOMAIN(`meadow.example')
	define(`ALIAS_FILE', `/etc/aliases')
	undefine(`confHOST_STATUS_DIRECTORY')
	DAEMON_OPTIONS(`Addr=127.0.0.1, Name=MTA')
	END
	cat "$here/../../examples/sendmail/dedup-lda.mc"
	echo 'MAILER(`local'"')"
	echo 'MAILER(`smtp'"')"
} >"$D/receiver/etc/mail/test.mc"
at receiver sh -c 'cd /usr/share/sendmail/cf && m4 m4/cf.m4 /etc/mail/test.mc >/etc/mail/sendmail.cf' || exit 1
# What it tells syslog.
python3 -uc '
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
while True:
    print(s.recv(8192).decode(errors="replace").rstrip("\0\n"))
' "$D/receiver/dev/log" >"$D/syslog" &
users
# `plain` is delivered to by sendmail itself.
echo /home/plain/mbox | put plain .forward
at receiver newaliases >>"$log" 2>&1
mkdir -p "$D/receiver/run/sendmail/mta"	# as Debian's init script does, which would also make a configuration of its own
install -d -m 700 -o 0 -g 0 "$D/receiver/var/spool/mqueue"
at receiver sh -c '/usr/sbin/sendmail -bd; true' >>"$log" 2>&1
ok 'the receiver listens' wait_for listens 25
alias_copies=1	# Sendmail has one delivery for all the aliases of a user that a message names,
delivered_to=ann	# and the agent gets the user's name for an address
receiver_cases
crowd	# each in a process of its own, at once
crowd_expect
trouble_cases
ok 'nothing bounced' not grep -E 'dsn=5|DSN:' "$D/syslog"
plan
