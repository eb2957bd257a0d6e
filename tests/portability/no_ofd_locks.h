/* A C library that knows no locks of open file descriptions: for `make WITHOUT=ofd-locks`, which includes this before all else. */
#include <fcntl.h>

#undef F_OFD_GETLK
#undef F_OFD_SETLK
#undef F_OFD_SETLKW
#define WITHOUT_OFD_LOCKS	/* for tests only: see set_lock() in dedupdb/fs.c */
