/*
 * What libraries of the agent refer to and the agent never calls: names of users in configuration files (libconfuse), names of hosts
 * (Berkeley DB's replication). The linker would take the whole name service for them, which does not work in a program without a
 * loader: see nss_ask.h. Part of the agent alone.
 */
#include <netdb.h>
#include <pwd.h>
#include <stddef.h>

struct passwd *
getpwnam(const char *name)
{
	(void)name;
	return NULL;
}

struct passwd *
getpwuid(uid_t uid)
{
	(void)uid;
	return NULL;
}

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	(void)node;
	(void)service;
	(void)hints;
	*found = NULL;
	return EAI_SYSTEM;
}

void
freeaddrinfo(struct addrinfo *found)
{
	(void)found;
}
