#!/bin/sh
# The Debian package on a machine that does not have it yet: installed, used by Postfix, upgraded while mail arrives, removed, installed
# again, purged. `make deb` builds it.
here=$(cd "$(dirname "$0")" && pwd)
packages=$(cd "${BUILD:-build}/deb" 2>/dev/null && pwd)
package=$(find "$packages" -name 'dedup-lda_*.deb' 2>/dev/null)
[ -f "$package" ] || {
	echo '1..0 # SKIP there is no package; make deb builds one'
	exit 0
}
receiver=postfix
# shellcheck source=tests/mta/mta.sh
. "$here/mta.sh"
# shellcheck source=tests/mta/postfix.sh
. "$here/postfix.sh"
root=$D/receiver

copies_come() {	# copies_come USER NAME: a message that is sent twice is delivered once
	mail_text "$2" | submit -n 2 renee@harbour.example "$1@meadow.example"
	ok "$2: the queue is empty" wait_for empty
	is "$(has "$1" "$2")" 1 "$2: sent twice, delivered once"
}
dpkg() {	# dpkg OPTION... : at the receiver
	at receiver env DEBIAN_FRONTEND=noninteractive dpkg "$@" >dpkg.out 2>&1 || {
		diag "$(cat dpkg.out)"
		return 1
	}
}
as() {	# as USER COMMAND...: at the receiver, by its login
	login=$1
	shift
	at receiver setpriv --reuid "$login" --regid "$login" --init-groups env -i -C "/home/$login" PATH=/usr/bin:/bin "$@"
}
ours() { (cd "$root" && find etc lib usr var/cache var/lib var/spool -name '*dedup-lda*' ! -path 'var/lib/dpkg/*' -o -name 'dedupdb*' -o -name 'smtp-gap*' | sort); }

# What lintian says, and what it would say.
if command -v lintian >/dev/null; then
	check() { lintian --allow-root --fail-on error,warning "$@" >lintian.out 2>&1; }
	ok 'lintian: no errors, no warnings' check "$packages"/dedup-lda_*.changes || diag "$(cat lintian.out)"
	dpkg-deb -R "$package" bad && chmod 777 bad/usr/bin/dedup-lda && dpkg-deb -b bad bad.deb >bad.out
	ok 'lintian: finds what is wrong on purpose' not check bad.deb
else
	skip lintian 'not installed'
fi

machine receiver "$receiver_image"
rm "$agent" "$root/usr/local/sbin/dedupdb"	# those that other scripts test
agent=$root/usr/bin/dedup-lda
mkdir -p "$root/tmp/deb"
cp "$package" "$root/tmp/deb/old.deb"
dpkg-deb -R "$package" newer && sed -i 's/^Version: .*/&+newer/' newer/DEBIAN/control && dpkg-deb --root-owner-group -b newer "$root/tmp/deb/new.deb" >newer.out
ours >before
ok 'it installs' dpkg -i /tmp/deb/old.deb

# What it says is where it says.
(cd "$root/usr/share" && find doc/dedup-lda man -type f \( -name 'dedup*' -o -path 'doc/dedup-lda/*' \) | sort | xargs -d '\n' zgrep -hoE '/usr/[a-z/]*bin/dedup[a-z-]*') |
	sort -u >named
is "$(cat named)" '/usr/bin/dedup-lda
/usr/sbin/dedup-lmtpd
/usr/sbin/dedupdb' 'examples and manual name these programs'
ok 'which exist' at receiver sh -c 'test -x /usr/bin/dedup-lda && test -x /usr/sbin/dedup-lmtpd && test -x /usr/sbin/dedupdb'
ok 'smtp-gap runs' at receiver sh -c '/usr/sbin/smtp-gap -V >/dev/null'
ok 'the same configuration as a sample and in /etc' cmp -s "$root/etc/dedup-lda.conf" "$root/usr/share/doc/dedup-lda/examples/dedup-lda.conf"
is "$(ldd "$agent" | grep -c '=>')" 0 'the agent needs no library'
is "$(ldd "$root/usr/libexec/dedup-lda/dedup-lda-nss" | grep -c '=>')" 1 'what looks up users needs libc alone'
is "$(stat -c '%a %U' "$root/var/lib/dedup-lda")" '1733 root' 'anybody may have a ledger in /var/lib/dedup-lda, and nobody lists it'
# shellcheck disable=SC2016 # dpkg-query expands these
at receiver dpkg-query -W -f '${Built-Using}, ${Static-Built-Using}' dedup-lda | tr ',' '\n' | sed 's/ (.*//; s/^ //' | sort -u >linked
is "$(tr '\n' ' ' <linked)" 'db5.3 glibc hiredis libbsd libconfuse libmd openssl ' 'it says what is linked'
is "$(find "$root/usr/share/doc/dedup-lda/libraries" -type f -size +0 | wc -l)" 7 'and has the terms of each'
if at receiver sh -c 'command -v systemd-analyze' >where; then
	verify() { at receiver systemd-analyze verify --man=no --recursive-errors=no "$@" >verify.out 2>&1; }
	ok 'the units are sound' verify dedup-lda-boot.service dedup-lda-recover.service dedup-lda-recover.timer dedup-lda-prune.service \
		dedup-lda-prune.timer dedup-lmtpd.service dedup-lmtpd.socket || diag "$(cat verify.out)"
	mkdir -p "$root/etc/systemd/system/dedup-lda-boot.service.d"
	printf '[Service]\nExecStart=\nExecStart=/usr/sbin/none\n' >"$root/etc/systemd/system/dedup-lda-boot.service.d/bad.conf"
	ok 'a wrong one is found' not verify dedup-lda-boot.service
	rm -r "$root/etc/systemd/system/dedup-lda-boot.service.d"
else
	skip 'the units are sound' 'no systemd'
fi
is "$(cd "$root/etc/systemd/system" && find . -name 'dedup-*' | sort | tr '\n' ' ')" \
	'./multi-user.target.wants/dedup-lda-boot.service ./timers.target.wants/dedup-lda-prune.timer ./timers.target.wants/dedup-lda-recover.timer ' \
	'and enabled'
if at receiver sh -c 'command -v apparmor_parser' >where; then
	parse() { at receiver apparmor_parser -Q --skip-kernel-load "$1" >parse.out 2>&1; }
	for profile in usr.bin.dedup-lda usr.sbin.dedup-lmtpd; do
		ok "the AppArmor profile $profile is one" parse /etc/apparmor.d/$profile || diag "$(cat parse.out)"
	done
	sed 's/capability setuid/capability set-uid/' "$root/etc/apparmor.d/usr.bin.dedup-lda" >"$root/tmp/bad"
	ok 'a wrong one is found' not parse /tmp/bad
else
	skip 'the AppArmor profile is one' 'no apparmor_parser'
fi

# Mail.
sed -i '/^mailbox_command/d' "$root/etc/postfix/main.cf"
cat "$root/usr/share/doc/dedup-lda/examples/postfix/main.cf" >>"$root/etc/postfix/main.cf"
postfix_common receiver
at receiver postconf -e myhostname=meadow.example mydestination=meadow.example
for name in joe ann eve; do
	user $name
done
at receiver newaliases
postfix_start
copies_come joe first

# A ledger in /var/lib/dedup-lda, and another user who takes the name first.
for name in ann eve; do
	printf 'ledger = bdb:/var/lib/dedup-lda/%%u\n' >>"$root/home/$name/.dedup-lda.conf"
done
copies_come ann elsewhere
is "$(stat -c '%a %u' "$root/var/lib/dedup-lda/ann")" "700 $(at receiver id -u ann)" 'the folder is made by its user'
as joe mkdir -m 777 /var/lib/dedup-lda/eve
ok 'another user may not list the ledgers' not as joe ls /var/lib/dedup-lda 2>ls.err
ok 'nor remove one' not as joe rmdir /var/lib/dedup-lda/ann 2>rmdir.err
mail_text squatted | submit renee@harbour.example eve@meadow.example
ok 'squatted: the queue is empty' wait_for empty
is "$(has eve squatted)" 1 'squatted: delivered all the same'
ok 'squatted: the log says why' grep -q 'ledger=.*/var/lib/dedup-lda/eve: must belong to the user' "$root/home/eve/log"

# What the boot unit runs, with no more rights than it has.
start=$(sed -n 's/^ExecStart=//p' "$root/lib/systemd/system/dedup-lda-boot.service")
caps=$(sed -n 's/^CapabilityBoundingSet=//p' "$root/usr/lib/systemd/system/dedup-lda-.service.d/sandbox.conf" | tr 'A-Z ' 'a-z,' | sed 's/cap_/+/g')
with_caps() {	# with_caps CAPABILITIES COMMAND...
	caps_given=$1
	shift
	at receiver setpriv --bounding-set "-all,$caps_given" --inh-caps=-all --no-new-privs "$@" >boot.out 2>&1
}
# shellcheck disable=SC2086 # a command line
boot() { with_caps "$1" $start; }	# boot CAPABILITIES
ok 'boot: trouble with a ledger is told' not boot "$caps"
matches "$(cat boot.out)" '^dedupdb: eve: ledger .*must belong' 'boot: and whose it is'
rmdir "$root/var/lib/dedup-lda/eve"
mail_text interrupted >letter
if can_trace; then
	# shellcheck disable=SC2046 # several words
	as joe $(kill_at "$RENAME" 1) dedup-lda <letter 2>killed
	is $? 137 'a delivery is killed'
	is "$(has joe interrupted)" 0 'and nothing is there'
	ok 'boot: the command of the unit' boot "$caps" || diag "$(cat boot.out)"
	is "$(has joe interrupted)" 1 'boot: and the message is'
	matches "$(cat boot.out)" '^joe: 1 settled' 'boot: which it says'
else
	skip 'a delivery is killed' 'nothing can be traced here'
	ok 'boot: the command of the unit' boot "$caps" || diag "$(cat boot.out)"
fi
ok 'boot: not without these rights' not boot +chown
# shellcheck disable=SC2016 # for that shell
sleeper=$(at receiver setpriv --reuid joe --clear-groups sh -c 'sleep 60 >/dev/null 2>&1 & echo $!')
ok 'boot: who holds it up can not be ended without the right to' not with_caps +setuid,+setgid,+dac_read_search sh -c "kill $sleeper"
ok 'boot: who holds it up can be ended' with_caps "$caps" sh -c "kill $sleeper" || diag "$(cat boot.out)"

# An upgrade while a message is on its way to the agent, and Postfix has others.
echo 'window = 14d' >>"$root/etc/dedup-lda.conf"
mkfifo hold
as joe dedup-lda <hold &
holding=$!
exec 9>hold
mail_text held >&9
runs() { readlink /proc/[0-9]*/exe | grep -q "/usr/bin/dedup-lda$1\$"; }	# runs [" (deleted)"]
ok 'the agent runs' wait_for runs
mail_text upgrade | submit -n 20 renee@harbour.example joe@meadow.example &
ok 'it is upgraded' dpkg -i /tmp/deb/new.deb
wait $!
ok 'the old agent still runs' runs ' (deleted)'
echo 'The end.' >&9
exec 9>&-
wait $holding
is $? 0 'it ends well'
is "$(grep -rl '^The end' "$root/home/joe/Maildir/new" | wc -l)" 1 'its message is delivered, to the last line'
ok 'upgrade: the queue is empty' wait_for empty
is "$(has joe upgrade)" 1 'upgrade: sent 20 times, delivered once'
ok 'the configuration is kept' grep -q '^window' "$root/etc/dedup-lda.conf"

# Gone, and back.
ok 'it is removed' dpkg -r dedup-lda
ok 'no program' test ! -e "$agent"
ok 'but the ledgers' test -d "$root/home/joe/.dedup-lda/env" -a -d "$root/var/lib/dedup-lda/ann/env"
ok 'and the configuration' grep -q '^window' "$root/etc/dedup-lda.conf"
mail_text meanwhile | submit meanwhile@harbour.example joe@meadow.example
ok 'mail waits' wait_for waiting meanwhile
ok 'it is installed again' dpkg -i /tmp/deb/new.deb
flush
ok 'meanwhile: the queue is empty' wait_for empty
is "$(has joe meanwhile)" 1 'meanwhile: delivered once'
mail_text first | submit renee@harbour.example joe@meadow.example
ok 'first: the queue is empty' wait_for empty
is "$(has joe first)" 1 'what came before it was removed is still known'
is "$(grep -c 'status=bounced' "$log")" 0 'nothing bounced'
ok 'it is purged' dpkg --purge dedup-lda
matches "$(cat dpkg.out)" 'ledgers in .* homes .* stay' 'which says what stays'
ok 'a ledger in a home' test -d "$root/home/joe/.dedup-lda/env"
ours >after
same after before 'nothing else does'

plan
