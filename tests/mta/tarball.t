#!/bin/sh
# `make dist` packs what is committed: the same bytes each time and from each clone, nothing of this machine in it; and what it packs builds,
# installs and passes its units where there is no git. All of it has the version of include/version.h.
tree=$(cd "$(dirname "$0")/../.." && pwd)
: "${BUILD:=build}"
for program in git cc pkg-config; do
	if ! command -v $program >/dev/null; then
		echo "1..0 # SKIP needs $program"
		exit 0
	fi
done
if ! git -C "$tree" rev-parse -q --verify HEAD >/dev/null 2>&1; then
	echo '1..0 # SKIP this is no checkout'
	exit 0
fi
# shellcheck source=tests/e2e/tap.sh
. "$tree/tests/e2e/tap.sh"
# shellcheck disable=SC2154 # of tap.sh
chmod 755 "$D"
umask 022

dist() {	# dist TREE NAME: its tar file in $D/NAME
	make -s -C "$1" dist BUILD="$D/$2" >"$2.sum" 2>"$2.err" || diag "$(cat "$2.err")"
}
origin=file://$(git -C "$tree" rev-parse --absolute-git-dir)
ok 'a clone' git clone -q "$origin" clone
ok 'another one, with a history of one commit' git clone -q --depth 1 "$origin" shallow
dist "$tree" one
dist "$tree" again
(umask 077 && TZ=Pacific/Auckland && export TZ && dist clone two)
dist shallow three
version=$(sed -n 's/.*DEDUP_LDA_VERSION "\(.*\)"/\1/p' "$tree/include/version.h")
tar=dedup-lda-$version.tar.gz
matches "$(cat one.sum)" "^[0-9a-f]{64}  dedup-lda-[0-9]+\.[0-9]+\.[0-9]+\.tar\.gz\$" 'its digest is printed'
same "again/$tar" "one/$tar" 'made again: the same bytes'
same "two/$tar" "one/$tar" 'of a clone, elsewhere: the same bytes'
same "three/$tar" "one/$tar" 'of a shallow clone: the same bytes'
git -C clone -c user.name=x -c user.email=x@example.org commit -q --allow-empty -m x --date=2001-01-01T00:00:00Z
dist clone four
ok 'the control: others from another commit' not cmp -s four.sum one.sum

tar -tzf "one/$tar" >names
tar --full-time --numeric-owner -tvzf "one/$tar" >listing
sed 's|/$||' names >plain
ok 'in the order of names' env LC_ALL=C sort -c names
is "$(git -C "$tree" ls-tree -r -t --name-only HEAD | sed "s|^|dedup-lda-$version/|" | sort | cat - plain | sort | uniq -u)" "dedup-lda-$version" \
	'it has what is committed, in one folder'
is "$(awk '{ print $2 }' listing | sort -u)" 0/0 'all of it belongs to root'
is "$(awk '{ print $4 " " $5 }' listing | sort -u)" "$(TZ=UTC git -C "$tree" log -1 --date=format-local:'%Y-%m-%d %H:%M:%S' --format=%cd)" \
	'and has the time of the commit'
is "$(cut -c 1-10 listing | sort -u | tr '\n' ' ')" '-rw-r--r-- -rwxr-xr-x drwxr-xr-x lrwxrwxrwx ' 'with the usual rights'
is "$(python3 -c 'import sys, tarfile
for member in tarfile.open(sys.argv[1]):
    for name in member.pax_headers:
        print(name)' "one/$tar" | sort -u)" comment 'no attributes but the commit'

# --- outside git
mkdir out
tar -C out -xzf "one/$tar"
source=$D/out/dedup-lda-$version
GIT_CEILING_DIRECTORIES=$D
export GIT_CEILING_DIRECTORIES
(cd "$source" && env -u BUILD make -s -j"$(nproc)" CFLAGS=-O0 all install PREFIX=/usr DESTDIR="$D/root") >make.out 2>&1
ok 'outside git: make, make install' test $? -eq 0 || diag "$(tail -n 20 make.out)"
(cd "$source" && env -u BUILD make -s -j"$(nproc)" CFLAGS=-O0 units) >units.out 2>&1
ok 'outside git: the units pass' grep -qx 'Result: PASS' units.out || diag "$(tail -n 20 units.out)"
(cd "$source" && env -u BUILD make -s dist) >dist.out 2>&1
is $? 2 'outside git: no make dist'
ok 'and it says why' grep -q 'no checkout' dist.out

doc=$D/root/usr/share/doc/dedup-lda
for page in README.md HACKING.md $(cd "$doc" && echo docs/*.md); do
	bad=
	grep -o ']([^:)]*)' "$doc/$page" | sed 's/^](//; s/)$//; s/#.*//' | sort -u >links
	while IFS= read -r link; do
		[ -e "$doc/$(dirname "$page")/$link" ] || bad="$bad $link"
	done <links
	is "$bad" '' "installed, $page: every link leads somewhere"
done
is "$(grep -rhoE '/usr/local/[a-z/-]*dedup[a-z-]*' "$doc" "$D/root/usr/share/man" | sort -u)" '' 'installed: what it names is below PREFIX'

# --- one version
version_of() { "$D/root/usr/$1" -V 2>&1 | head -n 1 | grep -o '[0-9]*\.[0-9]*\.[0-9]*' | head -n 1; }
for program in bin/dedup-lda sbin/dedup-lmtpd sbin/dedupdb sbin/smtp-gap; do
	is "$(version_of $program)" "$version" "$program -V: the version"
done
is "$(sed -n '1s/^dedup-lda (\(.*\)) .*/\1/p' "$source/debian/changelog")" "$version" 'debian/changelog: the version'
is "$(sed -n 's/^## \([0-9.]*\) .*/\1/p' "$source/CHANGELOG.md" | head -n 1)" "$version" 'CHANGELOG.md: the version'
for page in "$D"/root/usr/share/man/man*/*; do
	is "$(grep '^\.Os' "$page")" ".Os dedup-lda $version" "${page##*/}: the version"
done
is "$(grep -rlF "$version" "$source/include" "$source/lda" "$source/dedupdb" "$source/tools" "$source/man" "$source/Makefile")" \
	"$source/include/version.h" 'no other source has it'
if [ -d "$tree/$BUILD/deb" ]; then
	is "$(find "$tree/$BUILD/deb" -name 'dedup-lda_*.deb' | sed 's/.*dedup-lda_\(.*\)_.*/\1/')" "$version" 'the package: the version'
else
	skip 'the package' 'there is none; make deb builds one'
fi
plan
