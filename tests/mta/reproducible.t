#!/bin/sh
# The Debian package depends on what was committed alone: made again in another folder, by another user, with another umask and in another
# time zone, it has the same bytes. `make deb` makes the first one; tarball.t has the tar file that it is made of.
tree=$(cd "$(dirname "$0")/../.." && pwd)
: "${BUILD:=build}"
built=$(cd "$BUILD/deb" 2>/dev/null && pwd)
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}
[ -n "$(find "$built" -name 'dedup-lda_*.deb' 2>/dev/null)" ] || skip_all 'there is no package; make deb builds one'
command -v dpkg-buildpackage >/dev/null || skip_all 'needs dpkg-buildpackage'
# shellcheck source=tests/e2e/tap.sh
. "$tree/tests/e2e/tap.sh"
chmod 755 "$D"

version=$(sed -n 's/.*DEDUP_LDA_VERSION "\(.*\)"/\1/p' "$tree/include/version.h")

drop=
if [ "$(id -u)" -eq 0 ]; then
	drop="setpriv --reuid=nobody --regid=$(id -g nobody) --clear-groups"
fi
again() {	# again FOLDER: build the packages in FOLDER, from the tar file that was built last
	mkdir -m 755 "$1"
	tar -C "$1" -xzf "$built/../dedup-lda-$version.tar.gz"
	[ -z "$drop" ] || chown -R nobody "$1"
	# shellcheck disable=SC2086 # several words
	(umask 077 && cd "$1/dedup-lda-$version" && $drop env -i PATH="$PATH" TZ=Pacific/Auckland DEB_BUILD_OPTIONS=nocheck \
		dpkg-buildpackage -b -us -uc) >"$1.out" 2>&1 || diag "$(tail -n 30 "$1.out")"
}
again elsewhere
is "$(cd elsewhere && ls ./*.deb)" "$(cd "$built" && ls ./*.deb)" 'make deb: the same packages'
for file in elsewhere/*.deb; do
	same "$file" "$built/${file#*/}" "${file#*/}: the same bytes"
done
plan
