#!/bin/sh
# The page of dedupdb gaps in a real browser, on a phone and on a desk, light and dark: it renders, fits, can be read, fetches nothing, and
# has the numbers of --json. DEDUP_SCREENSHOTS=FOLDER keeps what it looked like.
# shellcheck source=tests/e2e/tap.sh
. "${0%/*}/../e2e/tap.sh"
look=$(cd "$OLDPWD" && cd "$(dirname "$0")" && pwd)/look.py

python3 "$look" /dev/null "$D" >why 2>&1
if [ $? -eq 77 ]; then
	[ -z "${DEDUP_REQUIRE_BROWSER:-}" ] || { echo "Bail out! $(cat why)"; exit 1; }
	echo "1..0 # SKIP $(cat why)"
	exit 0
fi

holds() { is "$(python3 -c '
import json, sys
p, j = json.load(open("page.json")), json.load(open("gaps.json"))
views, dom = p["views"], p["dom"]
print(eval(f"({sys.argv[1]})"))' "$1" 2>&1)" "$2" "$title: $3"; }	# holds EXPRESSION WANTED NAME: p, views and dom of the page, j of --json
looks() {	# looks TITLE <events: what every page has to be
	title=$1
	rm -rf L
	event_write L
	"$BUILD/dedupdb" -l "$ledger" --json gaps --html page.html >gaps.json
	is $? 0 "$title: the page is written"
	tidy -errors -q page.html >why 2>&1
	is "$? $(cat why)" '0 ' "$title: sound HTML"
	python3 "$look" page.html "$D/shots" >page.json 2>why
	is $? 0 "$title: it is opened" || diag "$(tail -n 3 why)"
	holds '[v["scroll_width"] - v["width"] for v in views], [v["over"] for v in views if v["over"]]' '([0, 0, 0, 0], [])' \
		'nothing is wider than the screen'
	holds '[min(v["colours"], 100) for v in views], [v["on_paper"] < 0.98 for v in views]' "([100, 100, 100, 100], [True, True, True, True])" \
		'it is not blank'
	holds '[sum(v["paper"][:3]) // 3 > 128 for v in views]' '[True, False, True, False]' 'light is light, and dark is dark'
	holds '[v["weak"] for v in views if v["contrast"] < 4.5]' '[]' 'all text has a contrast of 4.5'
	holds 'p["requests"], p["complaints"], dom["scripts"]' '([], [], 0)' 'nothing is fetched, nothing is run, nothing is complained of'
	holds '[v["labels_meet"] for v in views if v["labels_meet"]]' '[]' 'no label of the drawing is on another'
	holds 'dom["lang"], dom["title"], dom["headings"][0], dom["scopeless"]' \
		"('en', 'Mail that came twice', ['H1', 'Mail that came twice'], 0)" 'language, title, headings, scopes'
	holds '[f.split()[0] for f in dom["figures"]] == [str(n) for n in (j["deliveries"], j["copies"], len(j["hops"]))] +
		([str(j["hop_unknown"])] if j["hop_unknown"] else [])' True 'the figures are those of --json'
	holds '[(h[0], h[2]) for h in dom["hops"]] == [(h["sender"] or "(not known)", str(h["copies"])) for h in j["hops"]][:100]' True \
		'the hops are those of --json'
	holds '[[n[2] for n in t] for t in dom["newest"]] == [[n["queue_id"] or "-" for n in h["newest"]] for h in j["hops"]][:100]' True \
		'the queue ids are those of --json'
	[ -z "${DEDUP_SCREENSHOTS:-}" ] || for shot in shots/*.png; do
		cp "$shot" "$DEDUP_SCREENSHOTS/$title-${shot#shots/}"
	done
}
drawn() {	# of a page with a histogram
	holds '[int(d[1]) for d in dom["delays"] if d[1] != "0"] == [b["copies"] for b in j["histogram"] if b["copies"]]' True \
		'the numbers of the histogram are those of --json'
	# heights are those of the numbers, but for what would be too low to be seen
	holds '[[round(b["height"]) for b in v["bars"]] == [round(max(2, 180 * b["copies"] / max(b["copies"] for b in j["histogram"])))
		for b in j["histogram"] if b["copies"]] for v in views]' '[True, True, True, True]' 'each bar is as high as its number'
	holds '[min(b["width"] for b in v["bars"]) >= 3 for v in views]' '[True, True, True, True]' 'no bar is a hairline'
	holds '[v["bar_pixels"] >= 100 for v in views]' '[True, True, True, True]' 'the bars can be seen'
	holds '[bool(name and text) for name, text in dom["images"]]' '[True]' 'who can not see the drawing hears what it says'
}

i=0
while [ $i -lt 40 ]; do
	i=$((i + 1))
	echo "delivered -${i}000 0 none 0 - - -"
	[ $i -gt 12 ] || echo "duplicate -${i}000 -99999 $((300 + i)) 130 out.example.com mx.example.org 4F2A${i}C"
	[ $i -gt 7 ] || echo "duplicate -${i}000 -99999 ${i}000 2 mail.example.net mx.example.org 8B${i}D"
	[ $i -gt 3 ] || echo "helped -${i}000 -99999 9${i} 129 mx.example.org - -"
	[ $i -gt 2 ] || echo "duplicate -${i}000 -99999 none 6 - - -"
	[ $i -gt 2 ] || echo "duplicate -${i}000 -99999 none 0 - - -"
done >events
looks usual <events
drawn
holds 'dom["hops"][0][3]' '5m 6s5m 1s - 5m 12s' 'the delays of the first hop'
holds '[t[0][0] for t in dom["newest"]] == [h["newest"][0]["time"].replace("T", " ")[:-1] for h in j["hops"]]' True \
	'the times of the newest'

# All there can be: each bucket, high numbers, names as long as they get, and what should be no markup.
for edge in 0 1 2 3 5 7 10 15 20 30 45 60 90 120 180 300 420 600 900 1200 1800 2700 3600 5400 7200 10800 18000 25200 36000 54000 86400 \
	129600 172800 259200 432000 9999999; do
	echo "duplicate -50 -99 $edge 131 $(printf '%064d' 7 | tr 0 w) $(printf '%064d' 8 | tr 0 M) $(printf '%036d' 9 | tr 0 W)"
done >events
i=0
while [ $i -lt 3000 ]; do
	i=$((i + 1))
	echo "duplicate -50 -99 300 131 <script>document.body.remove()</script> \"'&<style>*{display:none}</style> <b>Q$i</b>"
done >>events
looks crowded <events
drawn
holds 'dom["hops"][0][:3]' "['<script>document.body.remove()</script>', '\"\\'&<style>*{display:none}</style>', '3000']" \
	'names of markup are names'

looks none <<EOT
delivered -50 0 none 0 - - -
EOT
holds '"No copies came: each message came once." in dom["text"], dom["images"], dom["hops"]' '(True, [], [])' \
	'it says so, and draws nothing'
plan
