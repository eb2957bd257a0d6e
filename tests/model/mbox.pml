/*
 * Delivery into an mbox, as lda/deliver.c, lda/mbox*.c, lda/recover.c and dedupdb/ do it. The names in brackets are theirs. The lock
 * is one bit here; locks.pml has what is behind it.
 *
 * NF copies of F (one fingerprint, different bytes) and one message G, each handed over again until it got exit 0; a reader who
 * rewrites the file under the lock; another program that appends under the lock; kill -9 before every step; write and fsync that
 * fail; power cuts; commits that fail half-way; a ledger that can't be used. An fsync that fails says so once: the next one returns 0
 * though the bytes are not on disk.
 *
 * V=1 is the protocol. Every other V is wrong in one place and must fail: this table says how, and run reads it.
 *
 *	V	must	what is wrong				breaks
 *	1	hold	nothing
 *	2	lose	pending: cut at S0 without looking	M5
 *	3	lose	unlocked before the fsync		M4
 *	4	twice	the delivered mark is not synced	step 6
 *	5	lose	S0 is read before the lock is taken	M4
 *	6	lose	the tail is compared, not the prefix	M5
 *	7	twice	looked up before the lock only		M4
 *	8	twice	appended under an older intent		M1
 *	9	lose	the id is enough, no digest		M5
 *	10	twice	the whole entry is compared, no id	-
 *	11	lose	a pending record is trusted: exit 0	M3
 *	12	lose	no fsync of the mbox			M3
 *	13	lose	found: delivered without an fsync	M3
 *	14	lose	the file is not looked at again		M4
 *	15	lose	found: fsync, but not written again	M3
 *	16	twice	the pending record is not synced	M1
 *	17	lose	no empty line is put before the entry	M5
 *	18	twice	decided again without an fsync		M2
 *	19	twice	the window, which the manual speaks of	-
 *	20	twice	a recovery does not sync the log	M1
 *	21	twice	an undecided commit counts as made	M1
 */
#ifndef V
#define V 1
#endif
/* What there is of each; run says which settings it searches. */
#ifndef NF
#define NF 2			/* copies of F */
#endif
#ifndef NG
#define NG 1			/* 0: there is no G */
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef POWER
#define POWER 0
#endif
#ifndef ERRORS
#define ERRORS 0		/* of write and fsync */
#endif
#ifndef READS
#define READS 0			/* changes that the reader makes */
#endif
#ifndef OTHERS
#define OTHERS 0		/* messages that the other program appends */
#endif
#ifndef AGAIN
#define AGAIN 0			/* copies that come although exit 0 was given */
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
#ifndef CELLS
#define CELLS 14		/* of the file */
#endif
#define NP (NF + NG)

/* One cell is a piece of a message. Ours has two: the head (From_ line, X-Dedup-Id, header lines) and the body. */
#define ZERO 0
#define OLD1 1
#define OLD2 2
#define OTHER 3				/* of the other program */
#define QUOTE 31			/* the last cell of its message, a bounce that quotes the head of F: the same bytes */
#define H(p) (4 + 3 * (p))
#define HS(p) (5 + 3 * (p))		/* the head with a Status: that a reader has added */
#define B(p) (6 + 3 * (p))
#define HU(p) (20 + (p))		/* the head with an id that no record has */
#define OURS(x) ((x) >= 4 && (x) < 20 + NP)
#define WHO(x) ((x) >= 20 -> (x) - 20 : ((x) - 4) / 3)
#define ISHEAD(x) (OURS(x) && ((x) >= 20 || ((x) - 4) % 3 < 2))
#define FP(p) ((p) == NF)		/* fingerprint: 0 is F, 1 is G */
#define ABSENT 0
#define PENDING 1
#define DELIVERED 2

byte c[CELLS], size;			/* the file as processes see it */
byte d[CELLS], sizeD, safe;		/* on disk; the size, and the blocks below it, are safe up to this */
byte badl, badh;			/* cells that a failed fsync left clean in memory and not on disk */
byte inode;
byte stV[2], s0V[2], whoV[2], preV[2];	/* records: state; S0; whose bytes (length, digests); the last cell before S0 (the prefix) */
byte stD[2], s0D[2], whoD[2], preD[2];
bit dirty;				/* somebody died or failed in a section of the ledger: the next one recovers */
bit ahead;				/* the database is ahead of its log: a power cut now, and it is refused */
bit unsynced;				/* a mark was written, and its process died or failed before it was synced */
byte lock;				/* of the mbox: 1 + who */
bit acked[NP], told[2];
byte moved[2], window[2];		/* removed by the reader; of these, in the window that the manual speaks of */
byte allowed[2];			/* duplicates since the ledger could not be used */
byte kills, powers, errors, reads, others, again, undecided, noledger, epoch;
hidden byte i_, n_, f_, k_;

/* V=17: what comes after the middle of a line is swallowed. */
#if V == 17
#define STARTS(a, i) ((i) == 0 || !(a[(i) - 1] == ZERO || ISHEAD(a[(i) - 1])))
#else
#define STARTS(a, i) true
#endif
#define WHOLE(a, i, n, f) ((i) + 1 < (n) && ISHEAD(a[i]) && a[(i) + 1] == B(WHO(a[i])) && FP(WHO(a[i])) == (f) && STARTS(a, i))
#define count(a, n, f) n_ = 0; i_ = 0; do :: i_ + 1 < n -> if :: WHOLE(a, i_, n, f) -> n_++ :: else fi; i_++ :: else -> break od; i_ = 0
#if V == 19
#define MAY(f) 0
#else
#define MAY(f) (window[f] + allowed[f])
#endif

/* ONLY_...: a control is looked at for what the table says of it. */
bit lost, twice, ended;
#if defined(ONLY_TWICE) || defined(ONLY_REACH)
#define check_loss(x) skip
#else
#define check_loss(x) lost = !(x); assert(!lost)
#endif
#if defined(ONLY_LOSE) || defined(ONLY_REACH)
#define check_twice(x) skip
#else
#define check_twice(x) twice = !(x); assert(!twice)
#endif

inline check() {
	f_ = 0;
	do
	:: f_ < 2 -> count(c, size, f_);
		check_twice(n_ + moved[f_] <= 1 + MAY(f_));
		check_loss(!told[f_] || n_ + moved[f_] >= 1);
		f_++
	:: else -> break
	od;
	f_ = 0; n_ = 0
}

/* fsync, which returns 0: what is dirty is written */
inline sync_file() {
	i_ = 0;
	do
	:: i_ < size ->
		if
		:: !(badl <= i_ && i_ < badh) -> d[i_] = c[i_]
		:: else
		fi;
		i_++
	:: else -> break
	od;
	do
	:: i_ < CELLS -> d[i_] = 0; i_++
	:: else -> break
	od;
	sizeD = size; safe = size; i_ = 0
}

/* fsync, which returns EIO: nothing of what was dirty is on disk, and nothing is dirty any more */
inline sync_fails() {
	i_ = 0;
	do
	:: i_ < safe && d[i_] == c[i_] -> i_++
	:: else -> break
	od;
	badl = i_; badh = size; i_ = 0
}
#define sync_or(label) if :: d_step { sync_file() } :: errors < ERRORS -> errors++; if :: d_step { sync_fails() } :: d_step { sync_file() } fi; goto label fi

/* ftruncate, by a delivery of f: nothing of others may be behind `to` */
inline cut(to, f) {
	i_ = to;
	do
	:: i_ < size -> check_loss(c[i_] == ZERO || (OURS(c[i_]) && FP(WHO(c[i_])) == f)); c[i_] = 0; i_++
	:: else -> break
	od;
	if :: size > to -> size = to :: else fi;
	if :: safe > to -> safe = to :: else fi;
	if :: badh > to -> badh = to :: else fi;
	if :: badl >= badh -> badl = 0; badh = 0 :: else fi;
	i_ = 0;
	check()
}

inline record(f, state, s0, who, pre) { stV[f] = state; s0V[f] = s0; whoV[f] = who; preV[f] = pre }
inline commit(f) { stD[f] = stV[f]; s0D[f] = s0V[f]; whoD[f] = whoV[f]; preD[f] = preV[f] }

/* Before every step: dead by a power cut, or killed now. */
inline alive() {
	if
	:: e != epoch -> goto dead
	:: else ->
		if
		:: kills < KILLS -> kills++; goto dead
		:: skip
		fi
	fi
}

inline sync_log() { commit(0); commit(1); ahead = 0; unsynced = 0 }

/* bdb_section: what a dead process left is recovered first, from a log that prepare_recovery has synced. */
inline section() {
	if
	:: dirty ->
#if V == 20
		ahead = 1;
#else
		sync_log();
#endif
		dirty = 0
	:: else
	fi
}

/* work_change: the record (state, s0, who, pre) of f; others see it from now on. An error leads to `failed` if nothing was written, else
 * to `unsure`. */
#define put(f, state, s0, who, pre, unsure, failed) \
	section(); \
	if \
	:: record(f, state, s0, who, pre) \
	:: kills < KILLS -> kills++; record(f, state, s0, who, pre); dirty = 1; goto dead \
	:: undecided < UNDECIDED -> undecided++; \
		if	/* the last: not seen, but there after a power cut */ \
		:: record(f, state, s0, who, pre); dirty = 1 \
		:: dirty = 1 \
		:: stD[f] = state; s0D[f] = s0; whoD[f] = who; preD[f] = pre \
		fi; \
		goto unsure \
	:: noledger < NOLEDGER -> noledger++; goto failed \
	fi

/* bdb_put, sync_log: then it is durable. */
#define put_sync(unsure) \
	if \
	:: e != epoch -> goto dead \
	:: e == epoch && kills < KILLS -> kills++; unsynced = 1; goto dead \
	:: e == epoch && undecided < UNDECIDED -> undecided++; \
		if \
		:: sync_log() \
		:: unsynced = 1 \
		fi; \
		goto unsure \
	:: e == epoch -> sync_log() \
	fi

/* find, entry_is_tail: what became of the recorded entry of f? r: 0 it is not there; 1 it is there, at s; 2 a torn rest of it is at the
 * end, and p is the message that it is made of */
#define LAST(s) ((s) == 0 -> 30 : c[(s) - 1])
#define SAME(x, q, k) ((k) == 0 && ((x) == H(q) || ((x) == QUOTE && q == 0)) || (k) == 1 && (x) == B(q))
#if V == 6
#define PREFIX(f) (size >= s0V[f])
#else
#define PREFIX(f) (size >= s0V[f] && LAST(s0V[f]) == preV[f])
#endif
#if V == 10
#define IS_ID(x, f) (x == H(whoV[f]))		/* a Status: spoils it */
#else
#define IS_ID(x, f) (x < 20 && WHO(x) == whoV[f])	/* by the id, which a record keeps, and the digests of header and body */
#endif
inline classify(f, p) {
	r = 0; i_ = s0V[f];
	if
	:: PREFIX(f) && s0V[f] + 1 < size && SAME(c[i_], whoV[f], 0) && SAME(c[i_ + 1], whoV[f], 1) -> r = 1; s = i_
	:: else ->
#if V == 2
		if :: size > s0V[f] -> r = 2 :: else fi
#else
		if
		:: PREFIX(f) && size > s0V[f] && size <= s0V[f] + 2 && whoV[f] == p -> r = 2; k_ = 0;
			do
			:: i_ < size ->
				if :: !(c[i_] == ZERO || SAME(c[i_], whoV[f], k_)) -> r = 0 :: else fi;
				i_++; k_++
			:: else -> break
			od;
			k_ = 0
		:: else
		fi;
		if
		:: r == 0 -> i_ = 0;	/* entry_find: by id and digests */
			do
			:: i_ < size ->
#if V == 9
				if :: ISHEAD(c[i_]) && FP(WHO(c[i_])) == f -> r = 1; s = i_ :: else fi;
#else
				if :: WHOLE(c, i_, size, f) && IS_ID(c[i_], f) -> r = 1; s = i_ :: else fi;
#endif
				i_++
			:: else -> break
			od
		:: else
		fi
#endif
	fi;
	i_ = 0
}

proctype lda(byte p)
{
	byte e, s, r, mine;
	bit free, unknown;	/* no record is to be marked; the id is in none */
#define f FP(p)
#define g (1 - FP(p))
end:
	atomic { !acked[p] -> e = epoch }
	/* round_once, before the lock: ledger_claim is good for the common duplicate only */
	atomic {
		alive();
		if
		:: section();
			if
			:: stV[f] == DELIVERED -> goto exit0
			:: else -> r = stV[f]
			fi
		:: noledger < NOLEDGER -> noledger++; goto unlocked
		fi
	}
open:	/* mbox_lock: open_file */
	atomic {
		alive();
		mine = inode;
#if V == 5
		s = size
#endif
	}
	atomic {	/* lock_take, fs_is_entry */
		lock == 0 || e != epoch;
		if
		:: e != epoch -> goto dead
		:: else -> lock = p + 1
		fi;
#if V != 14
		if
		:: mine != inode -> lock = 0; goto open
		:: else -> mine = 0
		fi
#endif
	}
#if V != 7
	/* settle_other, without the message: nothing is cut, and its record stays unless it is settled. A hint may be missing. */
	atomic {
		alive();
		r = 0;
		if
		:: stV[g] == PENDING -> section(); d_step { classify(g, NP); r++ }
		:: true
		fi
	}
	if
	:: r == 2 ->
		atomic { alive(); badl = 0; badh = 0 }
		atomic { alive(); sync_or(claim) }
		atomic { alive(); put(g, DELIVERED, 0, 0, 0, claim, claim) }
		atomic { put_sync(claim) }
	:: r == 1 || r == 3 -> atomic { alive(); sync_or(claim) }
	:: r == 0
	fi;
#endif
claim:	/* under the lock: ledger_claim, mbox_settle */
	atomic {
		alive();
		if
		:: noledger < NOLEDGER && V != 7 -> noledger++; goto unrecorded
		:: section();
			if
#if V == 7
			:: r == PENDING -> d_step { classify(f, p) }
			:: else -> r = 0
#else
			:: stV[f] == DELIVERED -> goto exit0
			:: stV[f] == PENDING ->
#if V == 11
				goto exit0
#else
				r = 3
#endif
			:: stV[f] == ABSENT -> r = 0
#endif
			fi
		fi
	}
	if
	:: r == 3 ->		/* ledger_claim syncs what it found pending */
		atomic {
			alive();
			if
			:: section(); sync_log(); d_step { classify(f, p) }
			:: noledger < NOLEDGER -> noledger++; r = 0; goto unrecorded
			fi
		}
	:: else
	fi;
	if
	:: r == 1 ->
#if V != 13
#if V != 15
		atomic { alive(); badl = 0; badh = 0 }	/* mbox_rewrite: dirty again */
#endif
		atomic { alive(); sync_or(exit75) }
#endif
		goto mark
	:: else ->
		if
		:: r == 2 -> atomic { alive(); d_step { cut(s0V[f], f) } }
		:: else
		fi;
#if V != 18
		if		/* SETTLE_GONE after sync_all */
		:: stV[f] == PENDING -> atomic { alive(); sync_or(exit75) }
		:: else
		fi
#endif
	fi;
	/* decide: mbox_stage reads S0, ledger_decide. Under the lock nobody else decides f. */
#if V == 8
	if
	:: stV[f] == PENDING && size == s0V[f] -> s = size; goto append
	:: else
	fi;
#endif
	atomic {
		alive();
#if V != 5
		s = size;
#endif
		put(f, PENDING, s, p, LAST(s), attempted, failed)
	}
#if V != 16
	atomic { put_sync(attempted) }
#endif
append:	/* mbox_publish */
#if V == 14
	if
	:: mine != inode -> atomic { alive(); record(f, DELIVERED, 0, 0, 0); commit(f); goto exit0 }	/* into a file with no name */
	:: else
	fi;
#endif
	atomic {
		alive();
		if
		:: d_step { assert(size + 2 <= CELLS); c[size] = (unknown -> HU(p) : H(p)); size++ }
		:: errors < ERRORS -> errors++; goto take_back
		fi
	}
	atomic {
		alive();
		if
		:: d_step { c[size] = B(p); size++; check() }
		:: errors < ERRORS -> errors++; goto take_back
		fi
	}
#if V == 3
	atomic { alive(); lock = 0 }
#endif
#if V != 12
	atomic { alive(); sync_or(take_back) }
#endif
	if
	:: free -> goto exit0
	:: else
	fi;
mark:	/* mark_delivered with durable_mark, ledger_delivered */
	atomic {
		alive();
		put(f, DELIVERED, 0, 0, 0, unmarked, unmarked)
	}
#if V != 4
	atomic { put_sync(unmarked) }
#endif
exit0:
	atomic {
		if
		:: e != epoch -> goto dead
		:: else
		fi;
		d_step { count(d, safe, f); check_loss(n_ + moved[f] >= 1); n_ = 0 }	/* exit 0: durably there, or the reader took it */
		told[f] = 1;
		if
		:: acked[p] = 1
		:: again < AGAIN -> again++	/* the MTA lost the answer */
		fi;
#ifdef ONLY_REACH
		ended = acked[0] && acked[NP / 2] && acked[NP - 1]; assert(!ended);
#endif
		goto dead
	}
attempted:	/* STORE_UNDECIDED: read_again, in a section that recovers (dirty, distrust) */
	atomic {
		alive();
#if V == 21
		goto append;
#endif
		if
		:: sync_log(); dirty = 0;
			if
			:: stV[f] == PENDING && s0V[f] == s && whoV[f] == p -> goto append
			:: !(stV[f] == PENDING && s0V[f] == s && whoV[f] == p) -> goto claim
			:: !(stV[f] == PENDING && s0V[f] == s && whoV[f] == p) -> goto unrecorded	/* ROUNDS_MAX times */
			fi
		:: noledger < NOLEDGER -> noledger++; goto failed
		fi
	}
failed:	/* ledger_failed, in decide: the staged entry is appended, and not marked */
	atomic {
		alive();
		if
		:: DELIVER -> allowed[f]++; free = 1; unknown = stV[f] != PENDING && stD[f] != PENDING; goto append
		:: else -> goto exit75
		fi
	}
unlocked:	/* deliver_unrecorded: ensure_locked */
	if
	:: DELIVER
	:: else -> goto exit75
	fi;
	atomic {
		lock == 0 || e != epoch;
		if
		:: e != epoch -> goto dead
		:: else -> lock = p + 1; mine = 0
		fi
	}
unrecorded:
	atomic {
		alive();
		if
		:: DELIVER -> allowed[f]++; free = 1; unknown = 1; s = size; goto append
		:: else -> goto exit75
		fi
	}
unmarked:	/* ledger_failed, in mark_delivered */
	atomic {
		alive();
		if
		:: DELIVER -> allowed[f]++; goto exit0
		:: else -> goto exit75
		fi
	}
take_back:	/* entry_is_tail, ftruncate; nothing depends on the fsync after it */
	atomic { alive(); d_step { cut(s, f) } }
exit75:
dead:
	atomic {
		if
		:: lock == p + 1 -> lock = 0
		:: else
		fi;
		e = 0; s = 0; r = 0; mine = 0; free = 0; unknown = 0;
		goto end
	}
#undef f
#undef g
}

/* Remove n cells. */
inline remove(at, n) {
	i_ = at;
	do
	:: i_ + n < size -> c[i_] = c[i_ + n]; i_++
	:: else -> break
	od;
	do
	:: i_ < size -> c[i_] = 0; i_++
	:: else -> break
	od;
	size = size - n; i_ = 0
}

/* Rewrites the file under the lock, durably, in place or by a rename. */
proctype reader()
{
	byte at;
end:
	do
	:: atomic {
		lock == 0 && reads < READS -> reads++; at = 0;
		do
		:: at + 1 < size -> at++
		:: break
		od;
		k_ = 0;
		if
		:: d_step { c[at] == OLD1 -> remove(at, 1) }	/* everything behind it moves */
		:: d_step { WHOLE(c, at, size, FP(WHO(c[at]))) && OURS(c[at]) ->
			k_ = FP(WHO(c[at])); moved[k_]++;
			if
			:: stV[k_] == PENDING || ((dirty || unsynced) && stD[k_] == PENDING) -> window[k_]++
			:: else
			fi;
			remove(at, 2); k_ = 0 }
		:: d_step { ISHEAD(c[at]) && !WHOLE(c, at, size, FP(WHO(c[at]))) -> remove(at, 1) }	/* a torn entry */
		:: d_step { OURS(c[at]) && c[at] == H(WHO(c[at])) -> c[at] = HS(WHO(c[at])) }	/* marked as read */
		:: else -> reads--; at = 0; goto end
		fi;
		d_step {
			i_ = 0;
			do
			:: i_ < CELLS -> d[i_] = c[i_]; i_++
			:: else -> break
			od;
			i_ = 0; sizeD = size; safe = size; badl = 0; badh = 0; check()
		}
		at = 0;
		if
		:: inode++
		:: skip
		fi
	}
	od
}

proctype other()
{
end:
	do
	:: atomic {
		lock == 0 && others < OTHERS -> others++;
		d_step { assert(size + 2 <= CELLS); c[size] = OTHER; c[size + 1] = QUOTE; size = size + 2 }
		if
		:: d_step { sync_file() }
		:: skip
		fi
	}
	od
}

proctype power()
{
	byte i, n;
end:
	do
	:: atomic {
		powers < POWER -> powers++; epoch++; lock = 0; dirty = 0; unsynced = 0;
		n = (size > sizeD -> size : sizeD);		/* the size: anything between */
		do
		:: n > safe -> n--
		:: break
		od;
		i = 0;			/* each cell: old, new, or, in a new block, zero */
		do
		:: i < n ->
			if
			:: i < sizeD -> c[i] = d[i]
			:: i < size -> skip
			:: i >= safe -> c[i] = ZERO
			fi;
			i++
		:: else -> break
		od;
		i = 0;
		d_step {
			i = n;
			do
			:: i < CELLS -> c[i] = 0; i++
			:: else -> break
			od;
			size = n; sizeD = n; safe = n; badl = 0; badh = 0;
			i = 0;
			do
			:: i < CELLS -> d[i] = c[i]; i++
			:: else -> break
			od
		}
		i = 0;			/* what is in the log and was not synced, is there or not */
		do
		:: i < 2 ->
			if
			:: commit(i)
			:: record(i, stD[i], s0D[i], whoD[i], preD[i])
			fi;
			if
			:: ahead -> record(i, ABSENT, 0, 0, 0); commit(i)
			:: else
			fi;
			i++
		:: else -> break
		od;
		ahead = 0;
		i = 0;			/* an MTA may have lost what it was told */
		do
		:: i < NP ->
			if
			:: acked[i] && again < AGAIN -> again++; acked[i] = 0
			:: skip
			fi;
			i++
		:: else -> break
		od;
		i = 0; n = 0;
		d_step { check() }
	}
	od
}

init {
	byte j;
	atomic {
		c[0] = OLD1; c[1] = OLD2; d[0] = OLD1; d[1] = OLD2; size = 2; sizeD = 2; safe = 2;
		do
		:: j < NP -> run lda(j); j++
		:: else -> break
		od;
		j = 0;
#if READS
		run reader();
#endif
#if OTHERS
		run other();
#endif
#if POWER
		run power()
#endif
	}
}
