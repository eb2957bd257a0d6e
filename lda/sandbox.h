/*
 * Confining the agent to the folders that this delivery needs, before it reads a byte of the message.
 *
 * Linux's Landlock does that for unprivileged programs; elsewhere, and on kernels without it, nothing is confined.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include <stddef.h>

enum sandboxed {
	SANDBOX_ON,
	SANDBOX_UNAVAILABLE,	/* the kernel can't, or only in a first version that forbids all renames between folders */
	SANDBOX_FAILED		/* it should have, but refused */
};

/* From here on this process can open, make, rename and remove files only below these folders (descriptors; -1 is skipped), and reach no
 * TCP ports but these (0 is skipped; n_ports SANDBOX_ANY_PORT: all can be reached). What is open stays open, and Unix sockets can be
 * connected to. There is no way back. */
#define SANDBOX_ANY_PORT ((size_t)-1)
enum sandboxed sandbox_enter(const int *folders, size_t n, const unsigned int *ports, size_t n_ports);

#endif
