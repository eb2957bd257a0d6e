/*
 * The locks of an mbox, as lda/lock.c takes them. The names in brackets are its functions.
 *
 * Two deliveries of ours with mbox-locks = {fcntl, dotlock}, one with {dotlock, fcntl}, one with {dotlock}; an MTA that takes a dotlock
 * and then waits for fcntl, as Postfix does; an old program that knows dotlocks only. One of ours is killed: its dotlock stays.
 * lock-timeout and the time limits of others are not here: who can go on has to be able to.
 *
 * V=1 is what lock.c does. Every other V is wrong in one place and must fail: this table says how, and run reads it.
 *
 *	V	must	what is wrong				breaks
 *	1	hold	nothing
 *	2	hang	fcntl is held while it waits		M4
 *	3	two	a dotlock of a live holder is broken	M4
 *	4	two	one is broken without fcntl		M4
 *	5	two	it is not looked at again before that	M4
 */
#ifndef V
#define V 1
#endif
#define FCNTL_FIRST 0
#define DOTLOCK_FIRST 1
#define DOTLOCK_ONLY 2
#define NP 7

byte fcntl, dotlock;		/* who holds it; 0: nobody */
bit live;			/* the dotlock's holder is */
bit same[NP];			/* the dotlock still is the one that this process looked at */
byte inside, kills, i_;
bit two, ended;
byte finished;
#ifdef ONLY_REACH
#define check_alone() skip
#else
#define check_alone() two = inside > 1; assert(!two)
#endif

inline changed() { i_ = 0; do :: i_ < NP -> same[i_] = 0; i_++ :: else -> break od; i_ = 0 }
inline make(p) { dotlock = p; live = 1; changed() }
inline remove() { dotlock = 0; live = 0; changed() }
inline release(p) {	/* lock_release */
	if
	:: dotlock == p && live -> remove()
	:: else
	fi;
	if
	:: fcntl == p -> fcntl = 0
	:: else
	fi
}
inline kill(p) {
	kills < 1 -> kills++;
	if
	:: dotlock == p -> live = 0
	:: else
	fi;
	if
	:: fcntl == p -> fcntl = 0
	:: else
	fi
}

proctype ours(byte p, order)
{
	bit tried, borrowed;
end:
again:	/* lock_take, try_all */
	tried = 0;
	if
	:: order == FCNTL_FIRST ->
		if	/* fcntl_try */
		:: atomic { fcntl == 0 -> fcntl = p }
		:: atomic { fcntl != 0 -> goto busy }
		fi
	:: else
	fi;
try:	/* dotlock_try */
	if
	:: atomic { dotlock == 0 -> make(p); goto made }
#if V == 3
	:: atomic { dotlock != 0 && !tried -> tried = 1; same[p] = 1 }
#else
	:: atomic { dotlock != 0 && !live && !tried -> tried = 1; same[p] = 1 }	/* dotlock_look: its process is dead */
#endif
#if V != 2
	:: atomic { dotlock != 0 && (live || tried) -> goto busy }
#endif
	fi;
	/* dotlock_break */
	borrowed = order != FCNTL_FIRST;
#if V != 4
	if
	:: borrowed ->
		if
		:: atomic { fcntl == 0 -> fcntl = p }
		:: atomic { fcntl != 0 -> goto busy }
		fi
	:: else
	fi;
#endif
#if V != 5
	if
	:: atomic { same[p] && dotlock != 0 }
	:: atomic { !(same[p] && dotlock != 0) -> goto unbroken }
	fi;
#endif
#if V == 4 || V == 5
	atomic { remove() }
#else
	atomic {
		if
		:: kill(p); goto end
		:: remove()
		fi
	}
#endif
unbroken:
	if
	:: atomic { borrowed && fcntl == p -> fcntl = 0 }
	:: else
	fi;
	goto try;
made:
	if
	:: order == DOTLOCK_FIRST ->
		if
		:: atomic { fcntl == 0 -> fcntl = p }
		:: atomic { fcntl != 0 -> goto busy }
		fi
	:: else
	fi;
	atomic { inside++; check_alone() }
	if
	:: atomic { inside--; release(p); finished++ }
	:: atomic { kill(p) -> inside--; goto end }
	fi;
	goto out;
busy:	/* lock_release, clock_sleep_ms */
	atomic { release(p); goto again }
out:
	skip
}

proctype mta(byte p)
{
end:
	atomic { dotlock == 0 -> make(p) }
	atomic { fcntl == 0 -> fcntl = p; inside++; check_alone() }
	atomic { inside--; release(p); finished++ }
}

proctype old(byte p)
{
end:
	atomic { dotlock == 0 -> make(p); inside++; check_alone() }
	atomic { inside--; release(p); finished++ }
}

init {
	atomic {
		run ours(1, FCNTL_FIRST);
		run ours(2, FCNTL_FIRST);
		run ours(3, DOTLOCK_FIRST);
		run ours(4, DOTLOCK_ONLY);
		run mta(5);
		run old(6)
	}
#ifdef ONLY_REACH
end:
	atomic { finished == 6 -> ended = 1; assert(!ended) }
#endif
}
