/*
 * Handing a message over, as lda/target*.c, lda/fingerprint_lock.c and lda/deliver.c do it for mailbox = lmtp: and pipe:. The names in
 * brackets are their functions.
 *
 * NP copies of one message, each handed over again until it got exit 0 and the MTA got to know. A target that takes a message some time after it has
 * all of it, or refuses it, for now or for good; it can't be asked what it has taken. kill -9 at any step, power cuts, connections that break.
 * The target is another machine, or a command: it is not killed, and what it has taken is there.
 *
 * At least once: whoever is told exit 0, the target has the message. It has it twice only if a delivery came to its end, in whatever way, between
 * its last byte and the record of the answer: each such end excuses one more copy. And nobody is told that a message was refused for good while the
 * target may have it.
 *
 * Left out: a ledger that can't be used, lock-timeout (who waits has to get in), the expiry of records.
 *
 * V=1 is the protocol. Every other V is wrong in one place and must fail: this table says how, and run reads it.
 *
 *	V	must	what is wrong				breaks
 *	1	hold	nothing
 *	2	twice	no lock					step 1
 *	3	twice	not looked up again under the lock	step 2
 *	4	lose	recorded as delivered, then handed over	step 4
 *	5	lose	a pending record is trusted: exit 0	step 2
 *	6	twice	marked delivered without a sync		step 6
 *	7	lose	any answer counts as taken		step 5
 *	8	bounce	a refusal after the decision is final	err_retry
 *	9	bounce	handed over without a pending record	step 4
 *	10	hang	the lock outlives its process		step 1
 *	11	lose	marked delivered before the answer	step 6
 *	12	twice	the lock is given back before the mark	step 6
 */
#ifndef V
#define V 1
#endif
#ifndef NP
#define NP 2			/* copies */
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef POWER
#define POWER 1
#endif
#ifndef BREAKS
#define BREAKS 1		/* connections that break while the answer is waited for */
#endif
#ifndef REFUSALS
#define REFUSALS 2
#endif
#ifndef UNHEARD
#define UNHEARD 1		/* times that the MTA does not get to know of an exit 0 */
#endif

#define ABSENT 0
#define PENDING 1
#define DELIVERED 2

#define NOTHING 0
#define ALL 1			/* the target has the last byte */
#define TAKEN 2
#define REFUSED 3
#define REFUSED_FOR_GOOD 4

byte seen, disk;		/* the record; what a power cut leaves of it */
byte lock;			/* who holds it; 0: nobody */
byte sent[NP + 1];		/* what became of what this copy's process has sent */
byte adrift;			/* messages that the target has, and nobody waits for its answer */
bit running[NP + 1], dead[NP + 1];
byte taken, excused, kills, power, breaks, refusals, unheard, finished, i_;
bit lost, twice, bounced, ended;

#if defined(ONLY_REACH) || defined(ONLY_TWICE) || defined(ONLY_BOUNCE)
#define check_lost() skip
#else
#define check_lost() lost = taken == 0; assert(!lost)
#endif
#if defined(ONLY_REACH) || defined(ONLY_LOSE) || defined(ONLY_BOUNCE)
#define check_twice() skip
#else
#define check_twice() twice = taken > 1 + excused; assert(!twice)
#endif
#if defined(ONLY_REACH) || defined(ONLY_LOSE) || defined(ONLY_TWICE)
#define check_bounced() skip
#else
#define check_bounced() bounced = taken > 0 || adrift > 0; assert(!bounced)
#endif

/* Nobody will record what became of it. */
inline doubt(p) {
	if
	:: sent[p] == ALL -> adrift++; excused++
	:: sent[p] == TAKEN -> excused++
	:: else
	fi;
	sent[p] = NOTHING
}
inline unlock(p) {	/* target_release, or the end of the process */
	if
	:: lock == p -> lock = 0
	:: else
	fi
}
inline die(p) {
	doubt(p);
#if V != 10
	unlock(p);
#endif
	running[p] = 0;
	dead[p] = 1
}

proctype copy(byte p)
{
again:
	{
		atomic { !dead[p] -> running[p] = 1 };
		/* 0: judge_ask */
		if
		:: atomic { seen == DELIVERED -> goto exit_0 }
		:: atomic { seen != DELIVERED }
		fi;
#if V != 2
		/* 1: target_lock, fingerprint_lock */
		atomic { lock == 0 -> lock = p };
#endif
#if V != 3
		/* 2: judge_ask again; target_settle says SETTLE_GONE of a pending record */
		if
		:: atomic { seen == DELIVERED -> goto exit_0 }
#if V == 5
		:: atomic { seen == PENDING -> goto exit_0 }
		:: atomic { seen == ABSENT }
#else
		:: atomic { seen != DELIVERED }
#endif
		fi;
#endif
		/* 3: lmtp_stage, pipe_stage. What is refused there is final if there is no record (deliver_once, err_retry) */
		if
		:: skip
		:: atomic { refusals < REFUSALS -> refusals++;
			if
			:: goto try_later
			:: seen == ABSENT -> goto reject
			fi }
		fi;
		/* 4: ledger_decide, bdb_log_sync */
#if V == 4
		atomic { seen = DELIVERED };
#elif V != 9
		atomic { seen = PENDING };
#endif
		atomic { disk = seen };
		/* 5: lmtp_publish, pipe_publish: to the last byte, and then the answer */
		atomic { sent[p] = ALL };
#if V == 11
		atomic { seen = DELIVERED; disk = DELIVERED };
#endif
		if
		:: atomic { sent[p] == TAKEN }
#if V == 7
		:: atomic { sent[p] == REFUSED || sent[p] == REFUSED_FOR_GOOD -> sent[p] = NOTHING }
#else
		:: atomic { sent[p] == REFUSED -> sent[p] = NOTHING; goto try_later }
#if V == 8 || V == 9
		:: atomic { sent[p] == REFUSED_FOR_GOOD -> sent[p] = NOTHING; goto reject }
#else
		:: atomic { sent[p] == REFUSED_FOR_GOOD -> sent[p] = NOTHING; goto try_later }	/* err_retry */
#endif
#endif
		:: atomic { sent[p] != NOTHING && breaks < BREAKS -> breaks++; doubt(p); goto try_later }
		fi;
#if V == 12
		atomic { unlock(p); sent[p] = NOTHING };
#endif
		/* 6: mark_delivered, ledger_delivered with durable_mark */
		atomic { seen = DELIVERED };
#if V != 6
		atomic { disk = DELIVERED; sent[p] = NOTHING };
#else
		atomic { sent[p] = NOTHING };
#endif
exit_0:
		atomic {
			unlock(p);
			running[p] = 0;
			check_lost();
			if
			:: unheard < UNHEARD -> unheard++; goto again
			:: goto out
			fi
		};
try_later:	/* exit 75 */
		atomic { unlock(p); running[p] = 0; goto again };
reject:		/* exit 67 or 77: the MTA tells the sender that it was not delivered */
		atomic { check_bounced(); unlock(p); running[p] = 0; goto out }
	} unless { atomic { dead[p] -> dead[p] = 0 } };
	goto again;
out:
	atomic { finished++ }
}

proctype target()
{
	byte p;
end:
	do
	:: atomic { sent[1] == ALL -> p = 1; goto answer }
#if NP > 1
	:: atomic { sent[2] == ALL -> p = 2; goto answer }
#endif
#if NP > 2
	:: atomic { sent[3] == ALL -> p = 3; goto answer }
#endif
	:: atomic { adrift > 0 -> adrift--; taken++; check_twice() }
	:: atomic { adrift > 0 -> adrift-- }	/* refused, and nobody hears it */
	od;
answer:
	atomic {
		if
		:: sent[p] == ALL -> sent[p] = TAKEN; taken++; check_twice()
		:: sent[p] == ALL && refusals < REFUSALS -> refusals++; sent[p] = REFUSED
		:: sent[p] == ALL && refusals < REFUSALS -> refusals++; sent[p] = REFUSED_FOR_GOOD
		:: else			/* it is adrift */
		fi;
		goto end
	}
}

proctype trouble()
{
	byte p;
end:
	do
	:: atomic { kills < KILLS && running[1] -> kills++; die(1) }
#if NP > 1
	:: atomic { kills < KILLS && running[2] -> kills++; die(2) }
#endif
#if NP > 2
	:: atomic { kills < KILLS && running[3] -> kills++; die(3) }
#endif
	:: atomic { power < POWER && running[1] + running[2] > 0 -> power++;
		p = 1;
		do
		:: p <= NP && running[p] -> die(p); p++
		:: p <= NP && !running[p] -> p++
		:: p > NP -> break
		od;
		p = 0;
		lock = 0;
		seen = disk }
	:: atomic { power < POWER && running[1] + running[2] == 0 -> power++; seen = disk }
	od
}

init {
	atomic {
		run target();
		run trouble();
		run copy(1);
#if NP > 1
		run copy(2);
#endif
#if NP > 2
		run copy(3);
#endif
		skip
	}
#ifdef ONLY_REACH
end:
	atomic { finished == NP -> ended = 1; assert(!ended) }
#endif
}
