/*
 * Delivery into a Maildir, as lda/deliver.c, lda/maildir.c, lda/recover.c and dedupdb/ do it. The names in brackets are theirs.
 *
 * NP copies of one message, each handed over again until it got exit 0; `dedupdb recover`; a reader who moves mail away; kill -9
 * before every step; power cuts; commits that fail half-way; a ledger, a rename or an fsync that fails; days that pass; cleaners of
 * tmp/; a mailbox that is replaced from a backup; a ledger that is lost.
 *
 * V=1 is the protocol. Every other V is wrong in one place and must fail: this table says how, and run reads it.
 *
 *	V	must	what is wrong				breaks
 *	1	hold	nothing
 *	2	twice	published, then recorded		I1
 *	3	lose	recorded as delivered, then published	I6
 *	4	lose	a pending record is trusted: exit 0	I5
 *	5	twice	no proof from tmp/: new/ and cur/ only	I3
 *	6	lose	a missing stage proves at any age	PROVED_WITHIN
 *	7	lose	tmp/ may be another than the recorded	PROVED_WITHIN
 *	8	lose	a cleaner of tmp/ waits for no 36 hours	I4
 *	9	lose	the stage is removed after an error	I4
 *	10	lose	it is removed after an undecided commit	I4
 *	11	lose	the same, if a look says: not recorded	I4
 *	12	twice	an undecided commit is staged again	I1
 *	13	lose	no fsync of the stage			I1
 *	14	lose	no fsync of tmp/ where it needs one	I1
 *	15	twice	the commit is not synced		I1
 *	16	twice	a recovery does not sync the log	I1
 *	17	lose	no fsync of new/			I5
 *	18	lose	marked delivered before that fsync	I6
 *	19	twice	put without comparing			I2
 *	20	twice	link() and unlink(), no rename		I3
 *	21	lose	the sweeper asks, but minds no age	I4
 *	22	twice	a rename that fails: decided again	I2
 *	23	twice	an undecided commit counts as made	I1
 *	24	twice	a pending record is not synced again	I1
 */
#ifndef V
#define V 1
#endif
/* What there is of each; run says which settings it searches. */
#ifndef NP
#define NP 2			/* copies */
#endif
#ifndef NA
#define NA 3			/* attempts that stage: 3 or 4 */
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef POWER
#define POWER 1
#endif
#ifndef UNDECIDED
#define UNDECIDED 0		/* commits that fail half-way */
#endif
#ifndef NOLEDGER
#define NOLEDGER 0		/* times that the ledger can't be used */
#endif
#ifndef DELIVER
#define DELIVER 0		/* on-ledger-failure: 0 defer, 1 deliver */
#endif
#ifndef ERRORS
#define ERRORS 0		/* of rename and of fsync(new/) */
#endif
#ifndef HALFDAYS
#define HALFDAYS 0		/* that pass: one is a day for the ledger, two are 36 hours for cleaners. Each is longer than time-limit */
#endif
#ifndef CLEANS
#define CLEANS 0
#endif
#ifndef RESTORES
#define RESTORES 0
#endif
#ifndef WIPES
#define WIPES 0
#endif
#ifndef RECOVERS
#define RECOVERS 0		/* runs of dedupdb recover */
#endif
#ifndef COVERS
#define COVERS 1		/* fsync of a file makes its entry durable: FS_SYNC_COVERS_ENTRY */
#endif

#define NONE 0
#define TMP 1
#define PUB 2			/* in new/, or wherever a reader has put it since: it still counts */
#define NO 15			/* no stage */
#define DELIVERED (NA + 1)

/* of each stage */
byte locV[NA], locD[NA];	/* where: as processes see it, on disk */
bit dataD[NA];			/* its bytes are on disk */
bit away[NA];			/* neither in new/ nor in cur/ any more */
byte born[NA], decided[NA];	/* half-days */
bit made[NA];			/* in which tmp/: its device and inode */
byte staged;
/* the record: 0 absent, 1 + stage pending, DELIVERED */
byte recV, recD;
bit dirty;			/* somebody died or failed in a section: the next one recovers */
bit ahead;			/* the database is ahead of its log: a power cut now, and it is refused */
bit tmp;			/* which tmp/ the mailbox has now */
byte halfday, epoch;		/* epoch: who is of an older one is dead */
bit acked[NP];
byte nacked;
bit was;			/* it was durably there, before the administrator restored an older mailbox */
byte allowed;			/* duplicates that the manual speaks of */
byte kills, powers, undecided, noledger, errors, cleans, restores, wipes, recovers;

#define SAFE(i) (locD[i] == PUB && dataD[i])
#if NA == 3
#define COUNT ((locV[0] == PUB) + (locV[1] == PUB) + (locV[2] == PUB))
#define ANYSAFE (SAFE(0) || SAFE(1) || SAFE(2))
#else
#define COUNT ((locV[0] == PUB) + (locV[1] == PUB) + (locV[2] == PUB) + (locV[3] == PUB))
#define ANYSAFE (SAFE(0) || SAFE(1) || SAFE(2) || SAFE(3))
#endif
/* Control 20: a file may have a name in tmp/ and one in new/. */
#if V == 20
bit two[NA];
byte more;
#define TWO(u) (two[u] && away[u])
#define PUBLISHED (COUNT + more)
#else
#define TWO(u) false
#define PUBLISHED COUNT
#endif
#define YOUNG(u) (decided[u] == halfday)

/* An undecided commit that is staged again fails by itself, not with the other failures of a ledger. */
#define LEDGER_FAILS (V != 12 && noledger < NOLEDGER)

/* ONLY_...: a control is looked at for what the table says of it. */
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

/* Before every step: dead by a power cut or the time limit (lda/exit.c), or killed now. */
inline alive() {
	if
	:: e != epoch || halfday > since + 1 -> goto dead
	:: else ->
		if
		:: kills < KILLS -> kills++; goto dead
		:: skip
		fi
	fi
}

inline sync_log() { recD = recV; ahead = 0 }

/* bdb_section: what a dead process left is recovered first, from a log that prepare_recovery has synced. */
inline section() {
	if
	:: dirty ->
#if V == 16
		ahead = 1;
#else
		sync_log();
#endif
		dirty = 0
	:: else
	fi
}

/* rename_stage */
#if V == 20
inline rename_stage(u) { locV[u] = PUB; two[u] = 1; check_twice() }
#else
inline rename_stage(u) { locV[u] = PUB; check_twice() }
#endif

proctype lda(byte id)		/* id NP: dedupdb recover, which has no message (recover_record) */
{
	byte u, mine, r, e, since;
	bit keep, recorded;	/* keep_stage; box->recorded */
end:
	atomic {
		if
		:: id < NP && !acked[id] && staged < NA
		:: id == NP && recovers < RECOVERS && recV > 0 && recV < DELIVERED -> recovers++
		fi;
		e = epoch; since = halfday; mine = NO
	}
claim:	/* deliver_once: ledger_claim */
	atomic {
		alive();
		if
		:: section(); r = recV
		:: LEDGER_FAILS -> noledger++; goto unrecorded
		fi;
		if
		:: r == DELIVERED -> r = 0; goto exit0
		:: r == 0 ->
			if
			:: id == NP -> goto dead
			:: else
			fi
		:: else -> u = r - 1;
#if V == 4
			goto exit0
#endif
		fi;
		if
		:: r == 0 -> goto stage
		:: else
		fi
	}
#if V != 24
	atomic {	/* whoever decided may not have synced it yet, or not any more */
		alive();
		if
		:: section(); sync_log()
		:: LEDGER_FAILS -> noledger++; goto unrecorded
		fi
	}
#endif
#if V == 5
	goto search;
#else
	goto help;
#endif
stage:	/* maildir_stage: fill_stage; a stage serves again */
#if V == 3
	atomic { alive(); section(); recV = DELIVERED; recD = recV }
#endif
	if
	:: mine == NO ->
		atomic {
			alive();
			if
			:: staged < NA -> mine = staged; staged++; locV[mine] = TMP; born[mine] = halfday; made[mine] = tmp
			:: else -> goto finish	/* the model is at its end */
			fi
		}
#if V != 13
		atomic {
			alive();
			dataD[mine] = 1;
#if COVERS
			if
			:: locD[mine] == NONE -> locD[mine] = TMP
			:: else
			fi
#endif
		}
#endif
#if !COVERS && V != 14
		atomic { alive(); locD[mine] = TMP }	/* fsync(tmp/) */
#endif
	:: else
	fi;
#if V == 2
	atomic { alive(); keep = 1; rename_stage(mine) }
	atomic { alive(); locD[mine] = PUB }
	atomic { alive(); section(); recV = DELIVERED; recD = recV; goto exit0 }
#elif V == 3
	u = mine;
	goto publish;
#endif
	/* decide: ledger_decide, work_change */
	atomic {
		alive();
		section();
		if
#if V != 19
		:: recV != r -> goto claim	/* STORE_CONFLICT, STORE_ABSENT */
		:: else ->
#else
		:: true ->
#endif
			u = mine;
			if
			:: recV = mine + 1; decided[mine] = halfday
			:: kills < KILLS -> kills++; recV = mine + 1; decided[mine] = halfday; dirty = 1; goto dead
			:: undecided < UNDECIDED -> undecided++; decided[mine] = halfday;
				if
				:: recV = mine + 1; dirty = 1
				:: dirty = 1
				:: recD = mine + 1	/* not seen, but there after a power cut */
				fi;
				goto attempted
			:: LEDGER_FAILS -> noledger++; goto unrecorded	/* STORE_FAILED */
			fi
		fi
	}
#if V == 15
	atomic { keep = 1; recorded = 1 }
#else
	atomic {	/* bdb_put, sync_log: others see the record already */
		alive();
		if
		:: sync_log(); keep = 1; recorded = 1	/* CLAIM_WON */
		:: undecided < UNDECIDED -> undecided++;
			if
			:: sync_log()
			:: skip
			fi;
			goto attempted
		fi
	}
#endif
publish:	/* maildir_publish */
#if V == 9
	atomic { alive(); if :: errors < ERRORS -> errors++; keep = 0; goto finish :: skip fi };
#endif
	atomic {
		alive();
		if
		:: locV[u] == TMP -> rename_stage(u)
		:: locV[u] != TMP && recorded		/* a helper was faster */
		:: locV[u] != TMP && !recorded -> goto finish
		:: errors < ERRORS -> errors++; goto finish
		fi;
		keep = 1
	}
#if V == 20
	atomic { alive(); two[u] = 0 }	/* unlink() */
#endif
sync:	/* fs_sync of new/ */
#if V == 18
	atomic { alive(); section(); recV = DELIVERED; if :: recD = recV :: skip fi };
#endif
#if V != 17
	atomic {
		alive();
		if
		:: locV[u] == PUB -> locD[u] = PUB
		:: locV[u] != PUB
		:: errors < ERRORS -> errors++; goto finish
		fi
	}
#endif
mark:	/* mark_delivered, ledger_delivered: not synced; if it fails the record stays pending */
	atomic {
		alive();
		if
		:: section();
			if
			:: recV == u + 1 -> recV = DELIVERED;
				if
				:: kills < KILLS -> kills++; dirty = 1; goto dead
				:: skip
				fi
			:: else
			fi
		:: LEDGER_FAILS -> noledger++
		fi
	}
exit0:
	atomic {
		if
		:: e != epoch || halfday > since + 1 || id == NP -> goto dead
		:: else
		fi;
		check_loss(ANYSAFE || was);	/* exit 0: durably in the mailbox, with nobody's help */
		acked[id] = 1; nacked++;
#ifdef ONLY_REACH
		ended = nacked == NP; assert(!ended);
#endif
		goto finish
	}
attempted:	/* STORE_UNDECIDED: read_again, in a section that recovers (dirty, distrust) */
	atomic {
#if V != 10 && V != 11
		keep = 1;
#endif
		alive();
#if V == 23
		recorded = 1;
		goto publish;
#endif
		if
		:: sync_log(); dirty = 0;
			if
			:: recV == mine + 1 -> keep = 1; recorded = 1; goto publish
			:: recV != mine + 1 -> goto claim
			:: recV != mine + 1 -> goto unrecorded	/* ROUNDS_MAX times */
			fi
		:: noledger < NOLEDGER -> noledger++;
			if
			:: !DELIVER -> goto finish
#if V == 12
			:: DELIVER -> mine = NO; goto unrecorded
#else
			:: DELIVER && recV == mine + 1 && recD == recV
			:: DELIVER && !(recV == mine + 1 && recD == recV) -> allowed++
#endif
			fi;
			recorded = 1;
			goto publish
		fi
	}
unrecorded:	/* ledger_failed, deliver_unrecorded: the message counts more than the risk of a copy */
	atomic {
		alive();
		if
#if V == 12
		:: DELIVER
#else
		:: DELIVER && id < NP -> allowed++
#endif
		:: else -> goto finish
		fi;
		if
		:: mine == NO && staged < NA -> mine = staged; staged++; locV[mine] = TMP; locD[mine] = TMP; dataD[mine] = 1;
			born[mine] = halfday; made[mine] = tmp
		:: mine == NO && staged == NA -> allowed--; goto finish
		:: else
		fi;
		u = mine;
		goto publish
	}
help:	/* maildir_settle, settle_in */
	atomic {
		alive();
		if
		:: locV[u] == TMP -> rename_stage(u)
#if V == 20
		:: locV[u] == PUB && two[u] && away[u] -> more++; check_twice()
#endif
		:: locV[u] == TMP && errors < ERRORS -> errors++;
#if V != 22
			if
			:: YOUNG(u) -> goto finish
			:: else -> goto search
			fi
#else
			goto search
#endif
		:: locV[u] != TMP && !TWO(u) ->
			if
#if V == 6
			:: made[u] == tmp
#elif V == 7
			:: YOUNG(u)
#else
			:: made[u] == tmp && YOUNG(u)	/* proved */
#endif
			:: else -> goto search
			fi
		fi;
		goto sync
	}
search:	/* search, holds: in new/, then in cur/ */
	atomic {
		alive();
		if
		:: locV[u] == PUB && !away[u] -> locD[u] = PUB; goto mark
		:: else
		fi;
#if V != 5 && V != 22
		/* SETTLE_GONE. The manual: it comes twice if a reader moved it, or if somebody can publish it after all. */
		if
		:: locV[u] != NONE -> allowed++
		:: else
		fi;
#endif
		if
		:: id == NP -> goto dead
		:: else -> goto stage
		fi
	}
finish:	/* finish: maildir_discard, unless a record may name it (I4); without exit 0 before it this is exit 75 */
	atomic {
		if
		:: e == epoch && halfday <= since + 1 && mine != NO && !keep && locV[mine] == TMP -> locV[mine] = NONE
		:: else
		fi
	}
dead:
	atomic { u = 0; mine = 0; r = 0; e = 0; since = 0; keep = 0; recorded = 0; goto end }
}

proctype user()
{
	byte i;
end:
	do
	:: atomic { locV[0] == PUB && !away[0] -> away[0] = 1 }
	:: atomic { locV[1] == PUB && !away[1] -> away[1] = 1 }
	:: atomic { locV[2] == PUB && !away[2] -> away[2] = 1 }
#if NA > 3
	:: atomic { locV[3] == PUB && !away[3] -> away[3] = 1 }
#endif
	od
}

/* Programs that clean tmp/ and ask nobody. maildir_sweep_tmp, which asks the ledger, removes less. */
#if V == 8
#define CLEANABLE(i) (locV[i] == TMP)
#elif V == 21
#define CLEANABLE(i) (locV[i] == TMP && recV != i + 1)
#else
#define CLEANABLE(i) (locV[i] == TMP && halfday >= born[i] + 2)
#endif
proctype cleaner()
{
	byte i;
end:
	do
	:: atomic {
		cleans < CLEANS ->
		do
		:: i < NA && !CLEANABLE(i) -> i++
		:: i < NA && CLEANABLE(i) -> locV[i] = NONE; cleans++; break
		:: i < NA && CLEANABLE(i) -> i++
		:: i == NA -> break
		od;
		i = 0
	}
	od
}

proctype world()
{
	byte i;
end:
	do
	:: atomic { halfday < HALFDAYS -> halfday++ }
	:: atomic { wipes < WIPES -> wipes++; allowed++; recV = 0; recD = 0; dirty = 0 }	/* bdb_env_set_aside, or an administrator */
	:: atomic {		/* A backup takes the mailbox's place, while no mail is delivered. */
		restores < RESTORES -> restores++; epoch++; tmp = 1 - tmp;
		do
		:: i < NA ->
			if
			:: locV[i] == TMP -> locV[i] = NONE; locD[i] = NONE
			:: locV[i] == TMP -> locD[i] = TMP
			:: locV[i] == PUB -> was = was || SAFE(i); away[i] = 1; locD[i] = PUB
			:: locV[i] == PUB -> locD[i] = PUB
			:: locV[i] == NONE -> locD[i] = NONE
			fi;
			i++
		:: i == NA -> break
		od;
		i = 0
	}
	:: atomic {		/* The power is cut: what was not synced is on disk or not. A rename is, or is not. */
		powers < POWER -> powers++; epoch++; dirty = 0;
		do
		:: i < NA ->
			if
			:: locD[i] != locV[i] -> locD[i] = locV[i]
			:: locD[i] == NONE && locV[i] == PUB -> locD[i] = TMP
			:: true
			fi;
			locV[i] = locD[i];
			if
			:: !dataD[i] && locV[i] != NONE -> dataD[i] = 1
			:: true
			fi;
			check_loss(locV[i] != PUB || dataD[i]);
			i++
		:: i == NA -> break
		od;
		if
		:: recD = recV
		:: recV = recD
		fi;
		if
		:: ahead -> ahead = 0; recV = 0; recD = 0
		:: else
		fi;
		i = 0;		/* An MTA may have lost what it was told, too. */
		do
		:: i < NP && acked[i] -> acked[i] = 0; nacked--; i++
		:: i < NP -> i++
		:: i == NP -> break
		od;
		i = 0
	}
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
