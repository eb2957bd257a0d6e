/*
 * Looking up a host's name: the name service is asked in a process of its own.
 */
#ifndef HOST_FIND_H
#define HOST_FIND_H

#include "host.h"

/* A host_lookup: fills `to`, also when the name is an address. timeout_ms 0: as long as the name service takes. STATUS_TEMP when there is
 * no such host, or no answer. */
int host_find(struct host_addresses *to, const char *name, unsigned int port, int timeout_ms, struct err *err);

#endif
