#!/bin/sh
# The body digest against an independent implementation: messages signed by dkimpy carry the same hash in bh=.
: "${BUILD:=build}"
PYTHON=/usr/bin/python3

if ! $PYTHON -c 'import dkim' 2>/dev/null; then
	echo '1..0 # SKIP python3-dkim is not installed'
	exit 0
fi
if ! command -v openssl >/dev/null; then
	echo '1..0 # SKIP openssl is not installed: no key to sign with'
	exit 0
fi
bodyhash=$(cd "$BUILD/tests" && pwd)/bodyhash
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

cd "$tmp" || exit 1
if ! $PYTHON "$here/dkim_sign.py" . >sign.log 2>&1; then
	sed 's/^/# /' sign.log
	echo 'Bail out! dkimpy could not sign'
	exit 1
fi
# With the wrong form some must differ, or this test proves nothing.
hashes()
{
	(cd "$1" && "$bodyhash" "$2" ./*.eml) | sed 's, ./, ,'
}
hashes relaxed relaxed >relaxed.got
hashes relaxed simple >relaxed.wrong
hashes simple simple >simple.got
hashes simple relaxed >simple.wrong

awk '
	FILENAME ~ /\.got$/ { form = substr(FILENAME, 1, length(FILENAME) - 4); got[form, $2] = $1; next }
	FILENAME ~ /\.wrong$/ { form = substr(FILENAME, 1, length(FILENAME) - 6); wrong[form, $2] = $1; next }
	{
		form = substr(FILENAME, 1, length(FILENAME) - 5)
		ok = got[form, $2] == $1
		if (wrong[form, $2] != $1)
			differ[form]++
		print (ok ? "ok " : "not ok ") ++n " - " form " " $2
		if (!ok)
			print "# expected " $1 ", got " got[form, $2]
	}
	END {
		print (differ["relaxed"] > 50 ? "ok " : "not ok ") ++n " - relaxed messages differ from simple ones"
		print (differ["simple"] > 50 ? "ok " : "not ok ") ++n " - simple messages differ from relaxed ones"
		print "1.." n
	}
' relaxed.got simple.got relaxed.wrong simple.wrong relaxed.want simple.want
