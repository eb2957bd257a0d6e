#!/bin/sh
# The tar file and the Debian package depend on what was committed alone: made again in another folder, by another user, with another
# umask and in another time zone, they have the same bytes. `make deb` makes the first ones.
tree=$(cd "$(dirname "$0")/../.." && pwd)
: "${BUILD:=build}"
built=$(cd "$BUILD/deb" 2>/dev/null && pwd)
skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}
[ -n "$(find "$built" -name 'dedup-lda_*.deb' 2>/dev/null)" ] || skip_all 'there is no package; make deb builds one'
for program in git dpkg-buildpackage; do
	command -v $program >/dev/null || skip_all "needs $program"
done
# shellcheck source=tests/e2e/tap.sh
. "$tree/tests/e2e/tap.sh"
chmod 755 "$D"

dist() {	# dist TREE NAME: its tar file, uncompressed
	make -s -C "$1" dist BUILD="$D/$2" >"$2.sum" 2>"$2.err" || diag "$(cat "$2.err")"
}
ok 'a clone' git clone -q "file://$(git -C "$tree" rev-parse --absolute-git-dir)" clone
dist "$tree" one
(umask 077 && TZ=Pacific/Auckland && export TZ && dist clone two)
same two.sum one.sum 'make dist: the same bytes from a clone'
git -C clone -c user.name=x -c user.email=x@example.org commit -q --allow-empty -m x --date=2001-01-01T00:00:00Z
dist clone three
ok 'others from another commit' not cmp -s three.sum one.sum

drop=
if [ "$(id -u)" -eq 0 ]; then
	drop="setpriv --reuid=nobody --regid=$(id -g nobody) --clear-groups"
fi
again() {	# again FOLDER: build the packages in FOLDER, from the tar file that was built last
	mkdir -m 755 "$1"
	tar -C "$1" -xzf "$built"/../dedup-lda-*.tar.gz
	[ -z "$drop" ] || chown -R nobody "$1"
	# shellcheck disable=SC2086 # several words
	(umask 077 && cd "$1"/dedup-lda-* && $drop env -i PATH="$PATH" TZ=Pacific/Auckland DEB_BUILD_OPTIONS=nocheck \
		dpkg-buildpackage -b -us -uc) >"$1.out" 2>&1 || diag "$(tail -n 30 "$1.out")"
}
again elsewhere
is "$(cd elsewhere && ls ./*.deb)" "$(cd "$built" && ls ./*.deb)" 'make deb: the same packages'
for file in elsewhere/*.deb; do
	same "$file" "$built/${file#*/}" "${file#*/}: the same bytes"
done
plan
