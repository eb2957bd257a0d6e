#!/bin/sh
# What the scripts in this folder share: users, homes and a mail spool that are only there for the script. To be sourced first.
#
# It runs as root in a mount namespace of its own, in which /etc is a copy, and /home and /var/mail are empty. The users are
#
#	joe		in group crew, too
#	ann		whose files joe must not get at
#	mia		in group mail
#	toor		another name for root
#	wanda		whose home is missing
#	lin		whose home is a link that root made
#
#	$BUILD		a copy of the programs that all of them may run
#
# For root; skips without.

here=$(cd "$(dirname "$0")" && pwd)
: "${BUILD:=build}"
BUILD=$(cd "$BUILD" && pwd) || exit 1

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

if [ "${1:-}" != --in-namespace ]; then
	[ "$(id -u)" -eq 0 ] || skip_all 'needs root, for users'
	unshare --mount --pid --fork true 2>/dev/null || skip_all 'can not make namespaces here'
	scratch=$(mktemp -d /tmp/dedup-lda-root.XXXXXX) || exit 1
	trap 'rm -rf "$scratch"' EXIT
	chmod 711 "$scratch"
	# Not exec'd, and waited for: the folder is removed by a process that does not see the mounts in it.
	env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/ TMPDIR="$scratch" BUILD="$BUILD" CRASH="${CRASH:-quick}" \
		unshare --mount --pid --fork --kill-child --mount-proc "$here/$(basename "$0")" --in-namespace &
	inside=$!
	trap 'kill -KILL $inside; exit 1' HUP INT TERM
	wait $inside
	exit
fi

fail() { echo "Bail out! $1"; exit 1; }
fs=$TMPDIR/fs
if ! { mkdir "$fs" && mount -t tmpfs -o mode=755 tmpfs "$fs" && mkdir -p "$fs/home" "$fs/mail" "$fs/build/tests" && cp -a /etc "$fs/etc"; }; then
	fail 'can not copy /etc'
fi
for program in dedup-lda dedup-lda-nss dedup-lda-redis dedup-lmtpd dedupdb smtp-gap tests/swap tests/event_write tests/lmtpd_kill tests/lmtpd_fault; do
	[ $program != dedup-lda-redis ] || [ -e "$BUILD/$program" ] || continue	# built WITH_REDIS=no
	install "$BUILD/$program" "$fs/build/$program" || fail "$program is not built"
done
for place in etc home var/mail; do
	mount --bind "$fs/${place#var/}" "$(realpath /$place)" || fail "can not replace /$place"
done
BUILD=$fs/build

rm -f /etc/dedup-lda.conf
echo 'passwd: files' >/etc/nsswitch.conf
echo 'group: files' >>/etc/nsswitch.conf
for name in joe ann mia lin wanda; do
	uid=$((${uid:-60000} + 1))
	home=/home/$name
	[ $name != wanda ] || home=/home/gone/wanda
	echo "$name:x:$uid:$uid::$home:/bin/sh" >>/etc/passwd
	echo "$name:x:$uid:" >>/etc/group
done
sed -i 's,^\(root:.*\):/root:,\1:/home/root:,' /etc/passwd
echo 'toor:x:0:0::/home/root:/bin/sh' >>/etc/passwd
echo 'crew:x:60100:joe' >>/etc/group
sed -i 's/^mail:.*/mail:x:8:mia/' /etc/group

# shellcheck source=tests/e2e/tap.sh
. "$here/../e2e/tap.sh"
trap - EXIT	# who started us removes it all
umask 022
chmod 711 "$D"

homes() {	# all of them anew
	find /home /var/mail/ -mindepth 1 -delete
	for name in root joe ann mia; do
		install -d -o $name -g $name -m 755 /home/$name
	done
	install -d -o lin -g lin -m 755 /home/elsewhere
	ln -s elsewhere /home/lin
}
as() {	# as USER COMMAND...: with all of the user's groups
	name=$1
	shift
	setpriv --reuid="$name" --regid="$name" --init-groups --inh-caps=-all env -i PATH="$PATH" LC_ALL=C HOME="/home/$name" "$@"
}
for_user() {	# for_user USER OPTION... <message: the agent, as root starts it for a user; $run goes before it
	# shellcheck disable=SC2086 # $run is several words
	{ $run "$BUILD/dedup-lda" -d "$@" >"$D/out"; } 2>"$D/err"
	rc=$?
}
# shellcheck disable=SC2154 # $here and $reason are set where it is called
deferred() {	# deferred REASON NAME: the last one ended in 75, with one line that says why
	is "$rc" 75 "$2: exit 75"
	matches "$(head -n 1 "$D/err")" "^4\.3\.0 .*$1" "$2: the first line says why"
	is "$(lines "$D/err")" 1 "$2: one line"
}
delivered() {	# delivered MAILDIR NAME: the last one did, and its message is the only one there
	is "$rc $(find "$1/new" -type f 2>/dev/null | wc -l)" '0 1' "$2: delivered" || diag "$(head -n 3 "$D/err")"
}
