/* Starting the server, and finding its processes. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "server.h"
#include "snapshot.h"
#include "trace.h"

#define TRIES 6000	/* of something that may take a moment */

static struct server *running;	/* of this process */

static void
moment(void)
{
	const struct timespec t = { .tv_nsec = 5000000 };

	nanosleep(&t, NULL);
}

static void
add(struct server *s, size_t *n, const char *word)
{
	if (*n == SERVER_OPTIONS - 1) {
		errno = E2BIG;
		die("dedup-lmtpd");
	}
	s->argv[*n] = strdup(word);
	if (s->argv[(*n)++] == NULL)
		die("strdup");
}

void
server_make(struct server *s, const char *folder, const char *build, const char *const *more)
{
	char listen[SERVER_SOCKET + 8];
	const char *const words[] = { "-w", "2", "-l", listen, "-p", s->pid_file, NULL };
	size_t i, n = 0;

	memset(s, 0, sizeof(*s));
	if ((size_t)snprintf(s->socket, sizeof(s->socket), "%s/s", folder) >= sizeof(s->socket)) {
		errno = ENAMETOOLONG;
		die(folder);
	}
	snprintf(listen, sizeof(listen), "unix:%s", s->socket);
	snprintf(s->pid_file, sizeof(s->pid_file), "%s/pid", folder);
	snprintf(s->out, sizeof(s->out), "%s/server.out", folder);
	snprintf(s->program, sizeof(s->program), "%s/dedup-lmtpd", build);
	add(s, &n, s->program);
	for (i = 0; words[i] != NULL; i++)
		add(s, &n, words[i]);
	for (i = 0; more[i] != NULL; i++)
		add(s, &n, more[i]);
}

void
server_free(struct server *s)
{
	size_t i;

	server_stop(s);
	running = NULL;
	for (i = 0; i < SERVER_OPTIONS; i++)
		free(s->argv[i]);
	memset(s, 0, sizeof(*s));
}

/* A process and its parent, if it is there and no zombie. */
static bool
look_at(const char *pid, pid_t *parent)
{
	char path[64], line[512], *p = NULL, state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%.32s/stat", pid);
	f = fopen(path, "re");
	if (f == NULL)
		return false;
	if (fgets(line, sizeof(line), f) != NULL)
		p = strrchr(line, ')');	/* its name may have any character */
	fclose(f);
	return p != NULL && sscanf(p + 1, " %c %d", &state, parent) == 2 && state != 'Z' && state != 'X';
}

/* Processes of the session for which pick() is true; the last one of them goes into *last. Others are not opened, however many there are. */
static unsigned int
count_processes(const struct server *s, bool (*pick)(const struct server *s, pid_t pid, pid_t parent), pid_t *last)
{
	DIR *d = opendir("/proc");
	struct dirent *entry;
	pid_t pid, parent;
	unsigned int n = 0;

	if (d == NULL)
		die("/proc");
	while ((entry = readdir(d)) != NULL) {
		pid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (pid <= 0 || getsid(pid) != s->session || !look_at(entry->d_name, &parent) || !pick(s, pid, parent))
			continue;
		n++;
		*last = pid;
	}
	closedir(d);
	return n;
}

bool
server_is_idle(const struct server *s, pid_t worker)
{
	char path[64], link[64];
	struct dirent *entry;
	unsigned int sockets = 0;
	ssize_t n;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)worker);
	d = opendir(path);
	if (d == NULL)
		return false;
	while ((entry = readdir(d)) != NULL) {
		n = readlinkat(dirfd(d), entry->d_name, link, sizeof(link) - 1);
		link[n > 0 ? n : 0] = '\0';
		sockets += strncmp(link, "socket:", 7) == 0;
	}
	closedir(d);
	return sockets == 1U + s->monitors;
}

static bool
is_idle_worker(const struct server *s, pid_t pid, pid_t parent)
{
	return parent == s->master && server_is_idle(s, pid);
}

/* The parent of a monitor is a worker, whose parent is the master. */
static bool
is_extra(const struct server *s, pid_t pid, pid_t parent)
{
	char text[16];
	pid_t above = 0;

	if (pid == s->master || (s->master != 0 && parent == s->master))
		return false;
	snprintf(text, sizeof(text), "%d", (int)parent);
	return !s->monitors || s->master == 0 || !look_at(text, &above) || above != s->master;
}

static bool
is_child(const struct server *s, pid_t pid, pid_t parent)
{
	(void)pid;
	return parent == s->master;
}

static bool
is_any(const struct server *s, pid_t pid, pid_t parent)
{
	(void)s;
	(void)pid;
	(void)parent;
	return true;
}

static bool
wait_until_none(const struct server *s, bool (*pick)(const struct server *s, pid_t pid, pid_t parent))
{
	unsigned int i;
	pid_t last;

	for (i = 0; i < TRIES; i++) {
		if (count_processes(s, pick, &last) == 0)
			return true;
		moment();
	}
	return false;
}

bool
server_settle(const struct server *s)
{
	return wait_until_none(s, is_extra);
}

pid_t
server_idle_worker(const struct server *s)
{
	unsigned int i;
	pid_t worker;

	for (i = 0; i < TRIES; i++) {
		if (count_processes(s, is_idle_worker, &worker) == 1)
			return worker;
		moment();
	}
	errno = ETIMEDOUT;
	die("a worker that waits");
}

pid_t
server_monitor(const struct server *s, pid_t worker)
{
	const struct server of_worker = { .master = worker, .session = s->session };
	pid_t monitor = 0;

	return s->monitors && count_processes(&of_worker, is_child, &monitor) > 0 ? monitor : 0;
}

pid_t
server_fresh_worker(const struct server *s)
{
	pid_t old = server_idle_worker(s), worker;

	kill(old, SIGKILL);
	do
		worker = server_idle_worker(s);
	while (worker == old);
	return worker;
}

/* It is no child of ours, so it would stay. */
static void
stop_at_exit(void)
{
	if (running != NULL)
		server_stop(running);
}

void
server_start(struct server *s)
{
	char *text;
	size_t len;

	if (s->master != 0)
		return;
	if (running == NULL)
		atexit(stop_at_exit);
	running = s;
	if (s->session != 0 && !wait_until_none(s, is_any)) {
		errno = ETIMEDOUT;
		die("processes of a killed server do not end");
	}
	if (run_plain(s->argv, NULL, s->out) != 0 || (text = read_whole(s->pid_file, &len)) == NULL) {
		show_file(s->out);
		die("the server does not start");
	}
	s->master = s->session = (pid_t)strtol(text, NULL, 10);
	free(text);
}

void
server_stop(struct server *s)
{
	if (s->session == 0)
		return;
	if (s->master != 0)
		kill(s->master, SIGTERM);
	s->master = 0;
	(void)wait_until_none(s, is_any);
	s->session = 0;
}

void
server_kill_master(struct server *s)
{
	if (s->master != 0)
		kill(s->master, SIGKILL);
	s->master = 0;
}
