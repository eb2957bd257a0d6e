/* The one place where the version stands. */
#ifndef VERSION_H
#define VERSION_H

#define DEDUP_LDA_VERSION "0.1.0"

#endif
