/* The one place where the version stands. */
#ifndef VERSION_H
#define VERSION_H

#define DEDUP_LDA_VERSION "1.0.0"

#endif
