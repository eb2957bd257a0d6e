/*
 * Whose Received fields are believed: the administrator's list of host names, domains (.example.org), IP addresses and networks.
 */
#ifndef TRUST_H
#define TRUST_H

#include <stdbool.h>

#include "received.h"

/* Is the sender of this hop on the list, by its address or by the name that the receiver looked up? Its own word for itself never counts.
 * list may be NULL. */
bool trust_sender(const char *const *list, const struct hop *hop);
/* Is the whole domain of that name (what is behind its first label) on the list? */
bool trust_pool(const char *const *list, const char *name);

#endif
