#!/bin/sh
# The sessions of the documentation are what happens.
here=$PWD
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/tap.sh"
PATH=$BUILD:$BUILD/tests:$PATH TZ=UTC LC_ALL=C.UTF-8
export PATH TZ LC_ALL
play() { python3 "$here/tests/e2e/sessions.py" "$@"; }

# Each file has a home of its own.
for file in docs/dedupdb.md docs/gaps.md README.md; do
	HOME=$D/${file##*/}
	mkdir "$HOME"
	play "$here/$file" >played
	grep -v '^1\.\.' played | sed "s/^\\(ok\\|not ok\\) [0-9]* - /\\1 /" | while IFS= read -r line; do
		case $line in
		'ok '*) echo "0 ${line#ok }" ;;
		'not ok '*) echo "1 ${line#not ok }" ;;
		*) echo "$line" ;;
		esac
	done >results
	while IFS= read -r line; do
		case $line in
		'#'*) echo "$line" ;;
		*) result "${line%% *}" "$file: ${line#* }" ;;
		esac
	done <results
	ok "$file has sessions" test -s results
done
plan
