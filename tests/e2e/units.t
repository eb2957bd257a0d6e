#!/bin/sh
# What systemd and AppArmor are told about the LMTP server is sound. tests/mta/package.t has what the package installs, tests/root/lmtpd.t
# the capabilities.
here=$PWD
. "$here/tests/e2e/tap.sh"

example=$here/examples/lmtp
mkdir units units/dedup-lmtpd.service.d
for unit in service socket; do
	sed "s|/usr/local/sbin/dedup-lmtpd|$BUILD/dedup-lmtpd|" "$example/dedup-lmtpd.$unit" >"units/dedup-lmtpd.$unit"
done
analyze() {	# analyze VERB OPTION...: on the service
	verb=$1
	shift
	(cd units && SYSTEMD_UNIT_PATH=$PWD: systemd-analyze "$verb" "$@" ./dedup-lmtpd.service) >analyzed 2>&1
}
verify() { analyze verify --man=no --recursive-errors=no && [ ! -s analyzed ]; }
# exposed LIMIT: it has as much to lose, in tenths
exposed() { analyze security --no-pager --offline=true --threshold="$1"; }
if [ -z "$(command -v systemd-analyze)" ]; then
	skip 'units' 'no systemd here'
else
	ok 'the units are sound' verify || diag "$(cat analyzed)"
	ok 'virtual users: the service is confined' exposed 18 || diag "$(tail -n 1 analyzed)"
	sed "s|/usr/local/sbin/dedup-lmtpd|$BUILD/dedup-lmtpd|" "$example/users.conf" >units/dedup-lmtpd.service.d/users.conf
	ok 'with users of this system, too' verify || diag "$(cat analyzed)"
	ok 'who are more to lose' exposed 32 || diag "$(tail -n 1 analyzed)"
	printf '[Service]\nProtectKernelModules=perhaps\n' >units/dedup-lmtpd.service.d/wrong.conf
	ok 'a wrong one is found' not verify
	printf '[Service]\nCapabilityBoundingSet=~\n' >units/dedup-lmtpd.service.d/wrong.conf
	ok 'and one that gives too much' not exposed 32
fi

# parse FILE: a profile, with what it includes
parse() { apparmor_parser -Q --skip-kernel-load --skip-cache -I policy -I /etc/apparmor.d "$1" >parsed 2>&1; }
if [ -z "$(command -v apparmor_parser)" ] || [ ! -d /etc/apparmor.d/abstractions ]; then
	skip 'AppArmor' 'no apparmor_parser here'
else
	mkdir -p policy/abstractions
	cp "$here/debian/apparmor.places" policy/abstractions/dedup-lda
	for profile in apparmor apparmor.lmtpd; do
		ok "debian/$profile is a profile" parse "$here/debian/$profile" || diag "$(cat parsed)"
	done
	sed 's/^  capability kill,/  capability none-such,/' "$here/debian/apparmor.lmtpd" >wrong
	ok 'a wrong one is found' not parse wrong
	sed -i 's/owner @/owner/' policy/abstractions/dedup-lda
	ok 'and a wrong list of places' not parse "$here/debian/apparmor.lmtpd"
fi
plan
