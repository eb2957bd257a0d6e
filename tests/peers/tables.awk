# The lines of tests/peers/crash as tables in Markdown. -v agents="NAME...": their order.
{
	split("", r)
	for (i = 1; i <= NF; i++) {
		split($i, pair, "=")
		r[pair[1]] = pair[2]
	}
	row = r["agent"] " | " r["kind"]
	seen[row] = 1
	if (r["test"] == "agent_together") {
		together[row] = r["messages"] " | " r["lost"] " | " r["doubled"] " | " r["extra"] " | " r["torn"] + r["stuck"]
		next
	}
	at = r["killed"] SUBSEP row SUBSEP (r["scene"] == "duplicate")
	points[at] += r["points"]
	lost[at] += r["lost"]
	doubled[at] += r["doubled"]
	other[at] += r["torn"] + r["damaged"] + r["stuck"]
	hung[r["killed"] SUBSEP row] += r["hung"]
	forgotten[r["killed"] SUBSEP row] += r["forgotten"]
}
function ratio(points, wrong) { return wrong == 0 ? "none" : sprintf("1 in %.0f", points / wrong) }
function header(columns,    n, i, line) {
	print "\n| " columns " |"
	n = split(columns, line, "|")
	for (i = 1; i <= n; i++)
		printf "|---"
	print "|"
}
function table(killed,    i, at, dup) {
	for (i = 1; i <= n; i++) {
		at = killed SUBSEP rows[i] SUBSEP 0
		dup = killed SUBSEP rows[i] SUBSEP 1
		print "| " rows[i] " | " points[at] " | " lost[at] " | " doubled[at] " | " other[at] " | " \
		    ratio(points[at], lost[at] + doubled[at] + other[at]) " | " points[dup] " | " lost[dup] + doubled[dup] + other[dup] \
		    (killed == "one" ? " | " forgotten[killed SUBSEP rows[i]] " | " hung[killed SUBSEP rows[i]] : "") " |"
	}
}
END {
	split(agents, names, " ")
	for (i = 1; i in names; i++) {
		for (k = 1; k <= 2; k++) {
			row = names[i] " | " (k == 1 ? "maildir" : "mbox")
			if (row in seen)
				rows[++n] = row
		}
	}
	columns = "agent | mailbox | kill points | lost | twice | torn, stuck | wrong | of a duplicate | wrong"
	print "\nThe whole delivery is killed:"
	header(columns)
	table("all")
	print "\nOnly the process that makes the call is killed, and the others of the delivery go on:"
	header(columns " | forgotten | hung")
	table("one")
	print "\nEight copies of each message come at once, and nothing is killed:"
	header("agent | mailbox | messages | lost | more than once | copies too many | torn, stuck")
	for (i = 1; i <= n; i++)
		print "| " rows[i] " | " together[rows[i]] " |"
}
