/* The engine: ptrace(2). */
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/ptrace.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "trace.h"

#define NOT_STARTED 99	/* exit code of a child that could not be started */

static volatile pid_t watched;
static volatile sig_atomic_t too_late;

void
die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void
on_alarm(int sig)
{
	(void)sig;
	too_late = 1;
	if (watched > 0)
		kill(watched, SIGKILL);
}

static void
watch(pid_t pid)
{
	struct itimerval limit = { .it_value = { .tv_sec = TRACE_LIMIT_S }, .it_interval = { .tv_sec = 1 } };
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_alarm;
	sa.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &sa, NULL);
	too_late = 0;
	watched = pid;
	setitimer(ITIMER_REAL, &limit, NULL);
}

static void
unwatch(void)
{
	struct itimerval none = { .it_value = { .tv_sec = 0 } };

	watched = 0;
	setitimer(ITIMER_REAL, &none, NULL);
}

static int
how_ended(int status)
{
	if (too_late)
		return ENDED_HUNG;
	return WIFEXITED(status) ? WEXITSTATUS(status) : ENDED_SIGNAL + WTERMSIG(status);
}

static int
wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, __WALL) == -1)
		if (errno != EINTR)
			die("waitpid");
	return status;
}

static void
become(char *const *argv, const char *input, const char *out, bool traced)
{
	int fd = open(out == NULL ? "/dev/null" : out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	int in = open(input == NULL ? "/dev/null" : input, O_RDONLY | O_CLOEXEC);

	if (traced && ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1)
		_exit(NOT_STARTED);
	if (fd == -1 || dup2(fd, STDOUT_FILENO) == -1 || dup2(fd, STDERR_FILENO) == -1)
		_exit(NOT_STARTED);
	if (in == -1 || dup2(in, STDIN_FILENO) == -1)
		_exit(NOT_STARTED);
	execv(argv[0], argv);
	_exit(NOT_STARTED);
}

/* vfork(2): the memory of a harness is large, and nothing of it is needed. */
pid_t
trace_spawn(char *const *argv, const char *input, const char *out, bool traced)
{
	pid_t pid = vfork();

	if (pid == -1)
		die("fork");
	if (pid == 0)
		become(argv, input, out, traced);
	return pid;
}

static int
run_to_end(pid_t pid, const char *what)
{
	int status = wait_for(pid);

	unwatch();
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_STARTED) {
		errno = ENOEXEC;
		die(what);
	}
	return how_ended(status);
}

int
run_plain(char *const *argv, const char *input, const char *out)
{
	pid_t pid = trace_spawn(argv, input, out, false);

	watch(pid);
	return run_to_end(pid, argv[0]);
}

int
run_killed(char *const *argv, const char *input, const char *out, long us)
{
	struct timespec wait = { us / 1000000, us % 1000000 * 1000 };
	pid_t pid = trace_spawn(argv, input, out, false);

	nanosleep(&wait, NULL);
	kill(pid, SIGKILL);
	watch(pid);
	return run_to_end(pid, argv[0]);
}

static void
ended(struct tracee *t, int status)
{
	unwatch();
	t->ended = true;
	t->code = how_ended(status);
}

void
trace_start(struct tracee *t, char *const *argv, const char *input, const char *out)
{
	int status;

	memset(t, 0, sizeof(*t));
	t->pid = trace_spawn(argv, input, out, true);
	watch(t->pid);
	status = wait_for(t->pid);
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP) {
		errno = EPERM;
		die("start a traced process");
	}
	if (ptrace(PTRACE_SETOPTIONS, t->pid, NULL, (void *)(uintptr_t)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)) == -1)
		die("PTRACE_SETOPTIONS");
}

bool
trace_step(struct tracee *t)
{
	uintptr_t sig = 0;
	int status;

	for (;;) {
		/* ESRCH: it has been killed meanwhile, for having lived too long */
		if (ptrace(PTRACE_SYSCALL, t->pid, NULL, (void *)sig) == -1 && errno != ESRCH)
			die("PTRACE_SYSCALL");
		status = wait_for(t->pid);
		if (!WIFSTOPPED(status)) {
			ended(t, status);
			return false;
		}
		if (WSTOPSIG(status) == (SIGTRAP | 0x80))
			break;
		sig = (uintptr_t)WSTOPSIG(status);
	}
	t->in_call = !t->in_call;
	t->calls += t->in_call;
	return true;
}

void
trace_kill(struct tracee *t)
{
	int status;

	if (t->ended)
		return;
	kill(t->pid, SIGKILL);
	do
		status = wait_for(t->pid);
	while (WIFSTOPPED(status));
	ended(t, status);
}

void
trace_finish(struct tracee *t)
{
	if (t->ended)
		return;
	if (ptrace(PTRACE_DETACH, t->pid, NULL, NULL) == -1 && errno != ESRCH)
		die("PTRACE_DETACH");
	watch(t->pid);
	ended(t, wait_for(t->pid));
}

bool
trace_possible(void)
{
	static char *const argv[] = { (char *)(uintptr_t)"/bin/true", NULL };
	pid_t pid = trace_spawn(argv, NULL, NULL, true);
	int status = wait_for(pid);

	if (!WIFSTOPPED(status))
		return false;
	kill(pid, SIGKILL);
	do
		status = wait_for(pid);
	while (WIFSTOPPED(status));
	return true;
}

/* What the arguments of a system call are. */
enum shape { NONE, FD, PATH, PATH2, AT, AT2, FD5 };

static const struct known {
	long nr;
	const char *name;
	enum shape shape;
} known[] = {
	{ SYS_read, "read", FD }, { SYS_pread64, "pread64", FD }, { SYS_write, "write", FD }, { SYS_pwrite64, "pwrite64", FD },
	{ SYS_readv, "readv", FD }, { SYS_writev, "writev", FD }, { SYS_close, "close", FD }, { SYS_fsync, "fsync", FD },
	{ SYS_fdatasync, "fdatasync", FD }, { SYS_ftruncate, "ftruncate", FD }, { SYS_fcntl, "fcntl", FD },
	{ SYS_flock, "flock", FD }, { SYS_lseek, "lseek", FD }, { SYS_fstat, "fstat", FD }, { SYS_fstatfs, "fstatfs", FD },
	{ SYS_getdents64, "getdents64", FD }, { SYS_fallocate, "fallocate", FD }, { SYS_fchmod, "fchmod", FD },
	{ SYS_openat, "openat", AT }, { SYS_newfstatat, "newfstatat", AT }, { SYS_statx, "statx", AT },
	{ SYS_unlinkat, "unlinkat", AT }, { SYS_mkdirat, "mkdirat", AT }, { SYS_faccessat, "faccessat", AT },
	{ SYS_renameat, "renameat", AT2 }, { SYS_renameat2, "renameat2", AT2 }, { SYS_linkat, "linkat", AT2 },
	{ SYS_mmap, "mmap", FD5 }, { SYS_munmap, "munmap", NONE }, { SYS_brk, "brk", NONE }, { SYS_exit_group, "exit_group", NONE },
	{ SYS_umask, "umask", NONE }, { SYS_getrandom, "getrandom", NONE }, { SYS_futex, "futex", NONE },
	{ SYS_accept4, "accept4", FD }, { SYS_ppoll, "ppoll", NONE }, { SYS_pipe2, "pipe2", NONE }, { SYS_clone, "clone", NONE },
	{ SYS_wait4, "wait4", NONE }, { SYS_setgroups, "setgroups", NONE }, { SYS_setresgid, "setresgid", NONE },
	{ SYS_setresuid, "setresuid", NONE }, { SYS_sendto, "sendto", FD }, { SYS_recvfrom, "recvfrom", FD },
	{ SYS_sendmsg, "sendmsg", FD }, { SYS_recvmsg, "recvmsg", FD },
	{ SYS_rt_sigaction, "rt_sigaction", NONE }, { SYS_mprotect, "mprotect", NONE }, { SYS_getpid, "getpid", NONE },
#ifdef SYS_open
	{ SYS_open, "open", PATH }, { SYS_stat, "stat", PATH }, { SYS_lstat, "lstat", PATH }, { SYS_access, "access", PATH },
	{ SYS_unlink, "unlink", PATH }, { SYS_mkdir, "mkdir", PATH }, { SYS_rename, "rename", PATH2 }, { SYS_creat, "creat", PATH },
	{ SYS_rmdir, "rmdir", PATH }, { SYS_readlink, "readlink", PATH }, { SYS_chmod, "chmod", PATH },
#endif
};

static const struct known *
look_up(long nr)
{
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].nr == nr)
			return &known[i];
	return NULL;
}

const char *
call_name(const struct call *call, char *buf, size_t size)
{
	const struct known *k = look_up(call->nr);

	if (k != NULL)
		snprintf(buf, size, "%s(%s)", k->name, call->path);
	else
		snprintf(buf, size, "syscall %ld", call->nr);
	return buf;
}

static void
descriptor_path(pid_t pid, int fd, char *path)
{
	char link[64];
	ssize_t n;

	if (fd == AT_FDCWD)
		snprintf(link, sizeof(link), "/proc/%d/cwd", (int)pid);
	else
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, fd);
	n = readlink(link, path, TRACE_PATH - 1);
	path[n > 0 ? n : 0] = '\0';
}

static void
read_string(pid_t pid, unsigned long long at, char *text)
{
	size_t n = 0, page = 4096, piece;
	struct iovec local, remote;

	memset(text, 0, TRACE_PATH);
	while (n < TRACE_PATH - 1 && memchr(text, '\0', n) == NULL) {
		piece = page - (size_t)((at + n) % page);
		if (piece > TRACE_PATH - 1 - n)
			piece = TRACE_PATH - 1 - n;
		local = (struct iovec){ text + n, piece };
		remote = (struct iovec){ (void *)(uintptr_t)(at + n), piece };
		if (process_vm_readv(pid, &local, 1, &remote, 1, 0) <= 0)
			return;
		n += piece;
	}
}

static void
path_at(pid_t pid, int dir, unsigned long long name, char *path)
{
	char base[TRACE_PATH];
	size_t len;

	path[0] = '\0';
	if (name != 0)
		read_string(pid, name, path);
	if (path[0] == '/')
		return;
	descriptor_path(pid, dir, base);
	len = strlen(base);
	if (path[0] == '\0') {
		memcpy(path, base, len + 1);
		return;
	}
	if (len + 1 + strlen(path) >= TRACE_PATH)
		return;
	memmove(path + len + 1, path, strlen(path) + 1);
	memcpy(path, base, len);
	path[len] = '/';
}

static void
resolve(pid_t pid, struct call *call)
{
	const struct known *k = look_up(call->nr);

	call->path[0] = call->to[0] = '\0';
	switch (k == NULL ? NONE : k->shape) {
	case FD:
		descriptor_path(pid, (int)call->args[0], call->path);
		break;
	case FD5:
		if ((int)call->args[4] != -1)
			descriptor_path(pid, (int)call->args[4], call->path);
		break;
	case PATH2:
		path_at(pid, AT_FDCWD, call->args[1], call->to);
		/* FALLTHROUGH */
	case PATH:
		path_at(pid, AT_FDCWD, call->args[0], call->path);
		break;
	case AT2:
		path_at(pid, (int)call->args[2], call->args[3], call->to);
		/* FALLTHROUGH */
	case AT:
		path_at(pid, (int)call->args[0], call->args[1], call->path);
		break;
	case NONE:
		break;
	}
}

void
trace_call(const struct tracee *t, struct call *call)
{
	struct ptrace_syscall_info info;
	int i;

	memset(&info, 0, sizeof(info));
	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, (void *)sizeof(info), &info) == -1)
		die("PTRACE_GET_SYSCALL_INFO");
	memset(call, 0, sizeof(*call));
	call->nr = -1;
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	call->nr = (long)info.entry.nr;
	for (i = 0; i < 6; i++)
		call->args[i] = info.entry.args[i];
	resolve(t->pid, call);
}

long
trace_result(const struct tracee *t)
{
	struct ptrace_syscall_info info;

	memset(&info, 0, sizeof(info));
	if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, (void *)sizeof(info), &info) == -1)
		die("PTRACE_GET_SYSCALL_INFO");
	return info.op == PTRACE_SYSCALL_INFO_EXIT ? (long)info.exit.rval : -EINTR;
}

void
trace_read(const struct tracee *t, unsigned long long at, void *buf, size_t len)
{
	struct iovec local = { buf, len }, remote = { (void *)(uintptr_t)at, len };

	if (process_vm_readv(t->pid, &local, 1, &remote, 1, 0) != (ssize_t)len)
		die("process_vm_readv");
}

void
trace_write(const struct tracee *t, unsigned long long at, const void *buf, size_t len)
{
	struct iovec local = { (void *)(uintptr_t)buf, len }, remote = { (void *)(uintptr_t)at, len };

	if (process_vm_writev(t->pid, &local, 1, &remote, 1, 0) != (ssize_t)len)
		die("process_vm_writev");
}

#ifdef __x86_64__
bool
trace_can_fail(void)
{
	return true;
}

static void
get_registers(const struct tracee *t, struct user_regs_struct *regs)
{
	if (ptrace(PTRACE_GETREGS, t->pid, NULL, regs) == -1)
		die("PTRACE_GETREGS");
}

static void
set_registers(const struct tracee *t, struct user_regs_struct *regs)
{
	if (ptrace(PTRACE_SETREGS, t->pid, NULL, regs) == -1)
		die("PTRACE_SETREGS");
}

bool
trace_fail(struct tracee *t, int error)
{
	struct user_regs_struct regs;

	get_registers(t, &regs);
	regs.orig_rax = (unsigned long long)-1;
	set_registers(t, &regs);
	if (!trace_step(t))
		return false;
	get_registers(t, &regs);
	regs.rax = (unsigned long long)-(long long)error;
	set_registers(t, &regs);
	return true;
}

void
trace_argument(const struct tracee *t, int which, unsigned long long value)
{
	struct user_regs_struct regs;

	get_registers(t, &regs);
	if (which == 2)
		regs.rdx = value;
	set_registers(t, &regs);
}
#else
bool
trace_can_fail(void)
{
	return false;
}

bool
trace_fail(struct tracee *t, int error)
{
	(void)t;
	(void)error;
	errno = ENOSYS;
	die("forge the result of a system call");
}

void
trace_argument(const struct tracee *t, int which, unsigned long long value)
{
	(void)t;
	(void)which;
	(void)value;
	errno = ENOSYS;
	die("change an argument of a system call");
}
#endif
