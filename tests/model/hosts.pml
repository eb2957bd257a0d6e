/*
 * Two hosts that use one ledger, and deliver into one Maildir (SHARED) or into one each, as lda/maildir.c, lda/deliver.c and
 * lda/recover.c do it. What one host does by itself is in maildir.pml; here the ledger is elsewhere, and what it says is true.
 *
 * Nobody who has decided is still at work a day later: PROVED_WITHIN is longer than any time-limit.
 *
 * NP copies of one message, each handed over again, on either host, until it got exit 0; `dedupdb recover` on either; a reader who moves
 * mail away; kill -9 before every step; power cuts of a host, of which host 0 has the disk of a shared Maildir; a ledger that forgets a
 * mark; days that pass; cleaners of tmp/; a snapshot of a mailbox, which is put back below the ledger that is newer. A copy of a mailbox
 * in the other one's place is to its host what such a snapshot is.
 *
 * V=1 is the protocol. Every other V is wrong in one place and must fail: this table says how, and run reads it.
 *
 *	V	must	what is wrong				breaks
 *	1	hold	nothing
 *	2	twice	another host's is decided again at once	I2
 *	3	lose	a missing stage proves on every host	PROVED_WITHIN
 *	4	lose	it proves in the same folder: inode, id	PROVED_WITHIN
 *	5	lose	the marker comes before fsync		PROVED_WITHIN
 *	6	lose	the marker proves at any age		PROVED_WITHIN
 *	7	lose	another host's is trusted: exit 0	I5
 *	8	twice	the marker goes before the mark		PROVED_WITHIN
 *	9	lose	a stage is helped whatever its size	I1
 *	10	twice	recover finds nothing, and forgets it	I2
 *	11	lose	another's rename counts, synced once	I5
 */
#ifndef V
#define V 1
#endif
#ifndef SHARED
#define SHARED 0
#endif
#ifndef NP
#define NP 2			/* copies */
#endif
#ifndef NA
#define NA 3			/* attempts that stage */
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef POWER
#define POWER 1
#endif
#ifndef FORGETS
#define FORGETS 0		/* marks that the ledger forgets */
#endif
#ifndef HALFDAYS
#define HALFDAYS 0
#endif
#ifndef CLEANS
#define CLEANS 0
#endif
#ifndef RESTORES
#define RESTORES 0
#endif
#ifndef RECOVERS
#define RECOVERS 0
#endif

#define NONE 0
#define TMP 1
#define PUB 2			/* in new/, or wherever a reader has put it since */
#define NO 15
#define DELIVERED (NA + 1)

#if SHARED
#define TREE(h) 0
#else
#define TREE(h) (h)
#endif

/* of each stage */
byte locV[NA], locD[NA];	/* as processes see it, on disk */
bit whole[NA];			/* all its bytes are there */
bit markV[NA], markD[NA];	/* its marker */
bit away[NA];			/* neither in new/ nor in cur/ any more */
bit by[NA];			/* the host that staged it, and with it the tree */
bit excused[NA];		/* its marker was lost in a way that the manual speaks of */
byte born[NA], decided[NA];	/* half-days */
byte staged;
/* the snapshot */
byte locS[NA];
bit wholeS[NA], markS[NA];
bit taken;
/* the record: 0 absent, 1 + stage pending, DELIVERED */
byte rec, before;		/* before: what it was before it was marked */
byte halfday, epoch[2];
bit acked[NP];
byte nacked;
bit was;			/* it was durably there, before an older mailbox was put in its place */
byte allowed;
byte kills, powers, forgets, cleans, restores, recovers;

#define SAFE(i) (locD[i] == PUB && whole[i])
#define ANYSAFE (SAFE(0) || SAFE(1) || SAFE(2))
#define PUBLISHED ((locV[0] == PUB) + (locV[1] == PUB) + (locV[2] == PUB))
#define YOUNG(u) (decided[u] == halfday)
#define HERE(u) (TREE(by[u]) == TREE(h))

bit lost, twice, ended;
#if defined(ONLY_TWICE) || defined(ONLY_REACH)
#define check_loss(c) skip
#else
#define check_loss(c) lost = !(c); assert(!lost)
#endif
#if defined(ONLY_LOSE) || defined(ONLY_REACH)
#define check_twice() skip
#else
#define check_twice() twice = PUBLISHED > 1 + allowed; assert(!twice)
#endif

inline alive() {
	if
	:: e != epoch[h] || halfday > since + 1 || (keep && decided[mine] != halfday) -> goto dead
	:: else ->
		if
		:: kills < KILLS -> kills++; goto dead
		:: skip
		fi
	fi
}

/* A file server answers a change of names when it is on disk. */
inline rename_stage(u) {
	locV[u] = PUB;
	if
	:: TREE(h) != h -> locD[u] = PUB
	:: else
	fi;
	check_loss(whole[u]);
	check_twice()
}

inline make_marker() {
	atomic {
		alive();
		markV[mine] = 1;
		if
		:: TREE(h) != h -> markD[mine] = 1
		:: else
		fi
	}
}

inline remove_marker(u) {
	markV[u] = 0;
	markD[u] = 0
}

inline sync_new() {
	atomic {
		alive();
		if
		:: locV[u] == PUB && HERE(u) -> locD[u] = PUB
		:: else
		fi
	}
}

proctype lda(byte id)		/* id NP: dedupdb recover */
{
	byte u, mine, r, e, since;
	bit h, keep;
end:
	atomic {
		if
		:: id < NP && !acked[id] && staged < NA
		:: id == NP && recovers < RECOVERS && rec > 0 && rec < DELIVERED -> recovers++
		fi;
		if
		:: h = 0
		:: h = 1
		fi;
		e = epoch[h]; since = halfday; mine = NO
	}
claim:
	atomic {
		alive();
		r = rec;
		if
		:: r == DELIVERED -> r = 0; goto exit0
		:: r == 0 && id == NP -> goto dead
		:: r == 0 && id < NP -> goto stage
		:: else -> u = r - 1; goto help
		fi
	}
stage:	/* maildir_stage */
	if
	:: mine == NO ->
		atomic {
			alive();
			if
			:: staged < NA -> mine = staged; staged++; by[mine] = h; born[mine] = halfday; locV[mine] = TMP;
				if
				:: TREE(h) != h -> locD[mine] = TMP
				:: else
				fi
			:: else -> goto finish	/* the model is at its end */
			fi
		}
#if V == 5
		make_marker();
#endif
		atomic { alive(); locD[mine] = TMP; whole[mine] = 1 }
#if V != 5
		make_marker()
#endif
	:: else
	fi;
	/* ledger_decide: put-if-absent, or compare-and-swap; the answer may not come (kill) */
	atomic {
		alive();
		if
		:: rec != r -> goto claim
		:: else ->
			u = mine; keep = 1; rec = mine + 1; decided[mine] = halfday;
			if
			:: kills < KILLS -> kills++; goto dead
			:: skip
			fi
		fi
	}
publish:	/* maildir_publish */
	atomic {
		alive();
		if
		:: locV[u] == TMP -> rename_stage(u)
		:: else -> goto rely	/* a helper was faster */
		fi;
		goto sync
	}
rely:	/* sync_others: another host's process renamed it, and a power cut of the file server, which this one outlives, may undo that */
#if V != 11
	sync_new();
	atomic {
		alive();
		if
		:: HERE(u) && locV[u] == TMP -> goto finish
		:: else
		fi
	}
#endif
sync:	/* fs_sync of new/ */
	sync_new();
#if V == 8
	atomic { alive(); remove_marker(u) }
#endif
mark:	/* ledger_delivered */
	atomic {
		alive();
		if
		:: rec == u + 1 -> before = rec; rec = DELIVERED
		:: else
		fi
	}
	atomic {	/* maildir_marked */
		alive();
		if
		:: HERE(u) -> remove_marker(u)
		:: else
		fi
	}
exit0:
	atomic {
		if
		:: e != epoch[h] || halfday > since + 1 || id == NP -> goto dead
		:: else
		fi;
		check_loss(ANYSAFE || was);
		acked[id] = 1; nacked++;
#ifdef ONLY_REACH
		ended = nacked == NP; assert(!ended);
#endif
		goto finish
	}
help:	/* settle_in */
	atomic {
		alive();
#if V == 7
		if
		:: by[u] != h && id < NP -> goto exit0
		:: else
		fi;
#endif
		if
#if V == 9
		:: HERE(u) && locV[u] == TMP -> rename_stage(u); goto sync
		:: HERE(u) && locV[u] == TMP && !whole[u] && false
#else
		:: HERE(u) && locV[u] == TMP && whole[u] -> rename_stage(u); goto sync
		:: HERE(u) && locV[u] == TMP && !whole[u]
#endif
		:: !(HERE(u) && locV[u] == TMP) ->
			if
#if V == 3
			:: YOUNG(u)
#elif V == 4
			:: HERE(u) && YOUNG(u)
#elif V == 6
			:: HERE(u) && markV[u]
#else
			:: HERE(u) && markV[u] && YOUNG(u)
#endif
				-> goto rely
			:: else
			fi
		fi
	}
	atomic {	/* search, and what follows */
		alive();
		if
		:: HERE(u) && locV[u] == PUB && !away[u] -> goto rely
#if V == 2
		:: by[u] != h && YOUNG(u) && id < NP -> goto again
#endif
#if V == 10
		:: !(HERE(u) && locV[u] == PUB && !away[u]) && id == NP ->
			if
			:: rec == u + 1 -> rec = 0
			:: else
			fi;
			goto dead
#endif
		:: !(HERE(u) && locV[u] == PUB && !away[u]) && by[u] != h && YOUNG(u) -> goto finish	/* SETTLE_ELSEWHERE */
		:: !(HERE(u) && locV[u] == PUB && !away[u]) && !(by[u] != h && YOUNG(u)) ->
			/* SETTLE_GONE. The manual: it comes twice if a reader moved it and nothing proves that it was there, or if the host that
			 * was away for a day comes back at this moment. */
			if
			:: (locV[u] == PUB && (excused[u] || !YOUNG(u))) || (locV[u] == TMP && !HERE(u)) -> allowed++
			:: else
			fi;
again:
			if
			:: id == NP -> goto dead
			:: else -> goto stage
			fi
		fi
	}
finish:	/* maildir_discard, unless a record may name it (I4) */
	atomic {
		if
		:: e == epoch[h] && halfday <= since + 1 && mine != NO && !keep && locV[mine] == TMP ->
			locV[mine] = NONE; locD[mine] = NONE; remove_marker(mine)
		:: else
		fi
	}
dead:
	atomic { u = 0; mine = 0; r = 0; e = 0; since = 0; keep = 0; h = 0; goto end }
}

proctype user()
{
end:
	do
	:: atomic { locV[0] == PUB && !away[0] -> away[0] = 1 }
	:: atomic { locV[1] == PUB && !away[1] -> away[1] = 1 }
	:: atomic { locV[2] == PUB && !away[2] -> away[2] = 1 }
	od
}

/* What is older than 36 hours goes, a stage or its marker. */
proctype cleaner()
{
	byte i;
end:
	do
	:: atomic {
		cleans < CLEANS ->
		do
		:: i < NA && halfday >= born[i] + 2 && locV[i] == TMP -> locV[i] = NONE; locD[i] = NONE; cleans++; break
		:: i < NA && halfday >= born[i] + 2 && markV[i] -> remove_marker(i); excused[i] = 1; cleans++; break
		:: i < NA -> i++
		:: i == NA -> break
		od;
		i = 0
	}
	od
}

proctype world()
{
	byte i;
	bit h;
end:
	do
	:: atomic { halfday < HALFDAYS -> halfday++ }
	:: atomic { forgets < FORGETS && rec == DELIVERED -> forgets++; allowed++; rec = before; excused[before - 1] = 1 }
	:: atomic {		/* A host's power is cut. */
		powers < POWER -> powers++;
		if
		:: h = 0
		:: h = 1
		fi;
		epoch[h]++;
		do
		:: i < NA && TREE(h) == h && HERE(i) ->
			if
			:: locD[i] = locV[i]
			:: locV[i] = locD[i]
			fi;
			if
			:: markD[i] = markV[i]
			:: markV[i] && !markD[i] -> markV[i] = 0; excused[i] = 1
			fi;
			i++
		:: i < NA && !(TREE(h) == h && HERE(i)) -> i++
		:: i == NA -> break
		od;
		i = 0; h = 0
	}
#if RESTORES
	:: atomic {		/* Of the Maildir of host 0. */
		!taken && staged > 0 -> taken = 1;
		do
		:: i < NA ->
			if
			:: locS[i] = locV[i]; wholeS[i] = whole[i]
			:: locD[i] != locV[i] -> locS[i] = locD[i]; wholeS[i] = whole[i]
			fi;
			markS[i] = markV[i];
			i++
		:: i == NA -> break
		od;
		i = 0
	}
	:: atomic {		/* No mail is delivered meanwhile there, and a reader has what it had then, or less. */
		taken && restores < RESTORES -> restores++; epoch[0]++;
#if SHARED
		epoch[1]++;
#endif
		do
		:: i < NA && HERE(i) ->
			was = was || SAFE(i);
			if
			:: locV[i] == PUB && locS[i] != PUB -> excused[i] = 1
			:: markV[i] && !markS[i] -> excused[i] = 1
			:: else
			fi;
			locV[i] = locS[i]; locD[i] = locS[i]; whole[i] = wholeS[i]; markV[i] = markS[i]; markD[i] = markS[i]; i++
		:: i < NA && !HERE(i) -> i++
		:: i == NA -> break
		od;
		i = 0
	}
#endif
	od
}

init {
	byte j;
	atomic {
		do
		:: j < NP -> run lda(j); j++
		:: else -> break
		od;
		j = 0;
#if RECOVERS
		run lda(NP);
#endif
		run user();
		run world();
#if CLEANS
		run cleaner()
#endif
	}
}
