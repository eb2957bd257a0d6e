/* Landlock: see landlock(7). */
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <stdint.h>
#include <unistd.h>

#include "sandbox.h"

#if defined(__linux__) && defined(SYS_landlock_create_ruleset) && !defined(WITHOUT_LANDLOCK)

#include <linux/landlock.h>

#define ABI_REFER 2	/* since then files may be renamed from one folder to another */
#define ABI_TRUNCATE 3
#define ABI_TCP 4
#define ABI_DEVICES 5

/* Headers may be older than the kernel. */
#define FS_TRUNCATE (1ULL << 14)
#define FS_IOCTL_DEV (1ULL << 15)
#define TCP_BIND (1ULL << 0)
#define TCP_CONNECT (1ULL << 1)
#define RULE_NET_PORT 2

struct net_port {
	uint64_t access, port;
};

struct ruleset {
	uint64_t fs, net;
};

static struct ruleset
everything(long abi)
{
	struct ruleset all = { .fs = LANDLOCK_ACCESS_FS_REFER | (LANDLOCK_ACCESS_FS_REFER - 1) };

	if (abi >= ABI_TRUNCATE)
		all.fs |= FS_TRUNCATE;
	if (abi >= ABI_DEVICES)
		all.fs |= FS_IOCTL_DEV;
	if (abi >= ABI_TCP)
		all.net = TCP_BIND | TCP_CONNECT;
	return all;
}

/* What a mailbox and a ledger are made of: regular files and folders. */
static uint64_t
needed(uint64_t all)
{
	return all & (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
	    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER | FS_TRUNCATE);
}

static int
allow(int ruleset, int folder, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access, .parent_fd = folder };

	return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

static int
allow_port(int ruleset, unsigned int port)
{
	struct net_port rule = { .access = TCP_CONNECT, .port = port };

	return (int)syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0);
}

enum sandboxed
sandbox_enter(const int *folders, size_t n, const unsigned int *ports, size_t n_ports)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset all;
	enum sandboxed result = SANDBOX_FAILED;
	size_t i;
	int fd;

	if (abi < ABI_REFER)
		return SANDBOX_UNAVAILABLE;
	all = everything(abi);
	if (n_ports == SANDBOX_ANY_PORT) {
		all.net &= ~TCP_CONNECT;
		n_ports = 0;
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &all, abi >= ABI_TCP ? sizeof(all) : sizeof(all.fs), 0);
	if (fd == -1)
		return SANDBOX_FAILED;
	for (i = 0; i < n; i++)
		if (folders[i] != -1 && allow(fd, folders[i], needed(all.fs)) == -1)
			goto done;
	for (i = 0; i < n_ports; i++)
		if (ports[i] != 0 && abi >= ABI_TCP && allow_port(fd, ports[i]) == -1)
			goto done;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_landlock_restrict_self, fd, 0) == 0)
		result = SANDBOX_ON;
done:
	close(fd);
	return result;
}

#else

enum sandboxed
sandbox_enter(const int *folders, size_t n, const unsigned int *ports, size_t n_ports)
{
	(void)folders;
	(void)n;
	(void)ports;
	(void)n_ports;
	return SANDBOX_UNAVAILABLE;
}

#endif
