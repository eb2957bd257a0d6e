/*
 * Berkeley DB's header, to be included in place of <db.h>.
 *
 * Its structs hold times, and functions behind them. The library was built with the compiler's own time_t, which on 32 bit is a shorter one
 * than ours (_TIME_BITS=64). With ours in these structs every function would be looked for in the wrong place. glibc calls the shorter one
 * __time_t; where libraries have the longer one as well, the Makefile finds that the compiler says so by itself.
 */
#ifndef BERKELEY_DB_H
#define BERKELEY_DB_H

/* All that db.h includes, with our time_t. */
#include <sys/types.h>

#include <inttypes.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#if defined(__GLIBC__) && defined(LIBRARIES_HAVE_OWN_TIME)
#define time_t __time_t
#include <db.h>
#undef time_t
#else
#include <db.h>
#endif

#endif
