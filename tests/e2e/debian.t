#!/bin/sh
# What debian/ says about the program is true: its version, its log lines, its configuration. tests/mta/package.t has the package itself.
here=$PWD
. "$here/tests/e2e/tap.sh"

is "$(sed -n '1s/^dedup-lda (\(.*\)) .*/\1/p' "$here/debian/changelog")" "$("$BUILD/dedup-lda" -V | sed -n 's/^dedup-lda //p')" \
	'the package has the version of the program'
is "$(grep -vc '^#\|^$' "$here/examples/dedup-lda.conf")" 0 'the sample configuration sets nothing'
for id in a b c d e f; do
	message "letter-$id" >$id
done
lda -c "$here/examples/dedup-lda.conf" <a
is $rc 0 'and is a configuration'

# Ordinary deliveries are of no interest to logcheck, all else is. The syslog line is what -v prints,
# but for what only -v prints.
rules=$here/debian/dedup-lda.logcheck.ignore.server
logged() { grep -aE '^(action|notice)=' err | grep -v '^notice="no sandbox' | sed 's/^/2026-11-24T12:00:00.123456+00:00 mx1 dedup-lda[4711]: /'; }
ignored() {	# ignored NAME PATTERN OPTION... <message: a line matches, and logcheck drops all lines
	title=$1 pattern=$2
	shift 2
	lda -v "$@"
	logged >lines
	ok "$title: logged" grep -qE "$pattern" lines
	is "$(grep -Evf "$rules" lines)" '' "$title: ignored"
}
told() {	# told NAME PATTERN OPTION... <message: a line matches, and logcheck shows it
	title=$1 pattern=$2
	shift 2
	lda -v "$@"
	matches "$(logged | grep -Evf "$rules")" "$pattern" "$title: told"
}

fresh
ignored delivered 'action=delivered ' <a
ignored duplicate 'action=duplicate .*first=.*age=' <a
for id in 4XaBBB1bbb 4XaCCC2ccc; do
	printf 'Received: from m-1.example.org (m-1.example.org [192.0.2.7]) by mx_1-2.example.org with ESMTP id %s; today\nReceived: by [IPv6:::1]; today\n' \
		$id | cat - b >$id
done
lda <4XaBBB1bbb
ignored 'a gap' 'action=duplicate .* hop=m-1.example.org->mx_1-2.example.org proof=queue-id sure=yes' <4XaCCC2ccc
sed 's/192.0.2.7/192.0.2.8/; s/m-1.example.org/x.test/g' 4XaCCC2ccc >fork
ignored 'two ways, from an address' 'action=duplicate .* hop=\[ipv6:::1\]->mx_1-2.example.org proof=fork ' <fork
ignored tagged 'action=tagged ' -o on-duplicate=tag <a
mkdir -p M/.again/cur M/.again/new M/.again/tmp
ignored filed 'action=filed ' -o on-duplicate=folder:again <a
mkdir -p M/.work/cur M/.work/new M/.work/tmp
ignored 'into a folder' 'folder=work' -m work <b
ignored 'without a ledger' 'action=delivered' -o ledger=none <c
printf 'Subject: x\n\nx\n' >none
ignored 'no Message-ID' 'msgid=""' <none
printf 'Message-ID: <a b="\\ \303\244 action=deferred reason=x>\nDate: today\n\nx\n' >odd
ignored 'an odd Message-ID' 'msgid="<a b=' <odd
mkdir 'my mail'
ignored 'a mailbox with a blank' 'mailbox="maildir:' -o "mailbox=maildir:$D/my mail/box" <d
logged | sed 's/^[^ ]*/Nov 24 12:00:00/' >lines
is "$(grep -Ecf "$rules" lines)" 1 'the old form of time'
logged | sed 's/mx1/mx1 dedup-lda[1]: action=delivered/' >lines
is "$(grep -Ecf "$rules" lines)" 0 'nothing in between'

told deferred 'action=deferred .*reason=' -o "mailbox=maildir:$D/none/none/M" <e
mkdir -m 777 open
chmod 777 open
told 'ledger trouble' 'action=delivered .*ledger=' -o "ledger=bdb:$D/open" <e
echo noise >L/lock
told 'a repair' 'notice="ledger ' <f
plan
