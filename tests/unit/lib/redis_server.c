/* Real Redis servers for tests. */
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dedupdb.h"
#include "redis_server.h"

#define MASTERS 3
#define PORT_MAX 55535	/* a cluster's node also takes the port that is 10000 higher */
#define TRIES 12000
#define PAUSE_US 10000

struct server {
	pid_t pid;
	unsigned int port;	/* 0: a socket in the folder */
	char folder[64];
};

static struct server single, masters[MASTERS];
static char scratch[48];
static pid_t owner;

static void
stop(struct server *s)
{
	if (s->pid > 0) {
		(void)kill(s->pid, SIGKILL);
		(void)waitpid(s->pid, NULL, 0);
	}
	s->pid = 0;
}

static void
clean_up(void)
{
	char command[64];
	size_t i;

	if (getpid() != owner)
		return;		/* a child of a test ends */
	stop(&single);
	for (i = 0; i < MASTERS; i++)
		stop(&masters[i]);
	snprintf(command, sizeof(command), "rm -rf %s", scratch);
	(void)!system(command);
}

static int
make_scratch(void)
{
	if (owner != 0)
		return 0;
	/* In memory, where there is some: what a disk survives is not what these tests are about. */
	snprintf(scratch, sizeof(scratch), "%s/dedup-redis.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	if (mkdtemp(scratch) == NULL)
		return -1;
	owner = getpid();
	return atexit(clean_up);
}

bool
redis_server_is_there(void)
{
	return ledger_has("redis://localhost") && system("command -v redis-server >/dev/null || command -v redis-check-rdb >/dev/null") == 0;
}

static int
connect_to(const struct server *s)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)s->port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(s->port != 0 ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), ret;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s/socket", s->folder);
	ret = s->port != 0 ? connect(fd, (struct sockaddr *)&in, sizeof(in)) : connect(fd, (struct sockaddr *)&un, sizeof(un));
	if (ret == 0)
		return fd;
	close(fd);
	return -1;
}

static int
say(const struct server *s, const char *line, char *answer, size_t size)
{
	int fd = connect_to(s);
	ssize_t n = -1;

	if (fd == -1)
		return -1;
	if (dprintf(fd, "%s\r\n", line) > 0)
		n = recv(fd, answer, size - 1, 0);
	close(fd);
	if (n <= 0)
		return -1;
	answer[n] = '\0';
	return 0;
}

/* Until its answer holds `expected`. */
static int
wait_until(const struct server *s, const char *line, const char *expected)
{
	char answer[4096] = "";
	int i;

	for (i = 0; i < TRIES; i++) {
		if (say(s, line, answer, sizeof(answer)) == 0 && strstr(answer, expected) != NULL)
			return 0;
		usleep(PAUSE_US);
	}
	fprintf(stderr, "# redis-server in %s: %s: %s\n", s->folder, line, answer);
	return -1;
}

static int
must_say(const struct server *s, const char *line, const char *expected)
{
	char answer[4096] = "";

	if (say(s, line, answer, sizeof(answer)) == 0 && strstr(answer, expected) != NULL)
		return 0;
	fprintf(stderr, "# redis-server in %s: %s: %s\n", s->folder, line, answer);
	return -1;
}

static void __attribute__((noreturn))
become_server(const struct server *s)
{
	const char *argv[] = { "redis-server", "--bind", "127.0.0.1", "--port", NULL, "--unixsocket", "socket", "--save", "",
	    "--appendonly", "yes", "--appendfsync", "always", "--cluster-enabled", NULL, NULL };
	char port[16];
	int log;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(port, sizeof(port), "%u", s->port);
	log = chdir(s->folder) == 0 ? open("log", O_WRONLY | O_CREAT, 0600) : -1;
	if (log == -1)
		_exit(1);
	dup2(log, STDOUT_FILENO);
	dup2(log, STDERR_FILENO);
	/* Debian's package redis-tools has the server, too, by another name, and starts no service. */
	argv[4] = port;
	argv[14] = s->port != 0 ? "yes" : "no";
	execvp("redis-server", (char *const *)argv);
	execvp("redis-check-rdb", (char *const *)argv);
	_exit(1);
}

static int
start(struct server *s, const char *name, unsigned int port)
{
	if (make_scratch() == -1)
		return -1;
	s->port = port;
	snprintf(s->folder, sizeof(s->folder), "%s/%s", scratch, name);
	if (mkdir(s->folder, 0700) == -1)
		return -1;
	s->pid = fork();
	if (s->pid == 0)
		become_server(s);
	return s->pid > 0 ? wait_until(s, "PING", "PONG") : -1;
}

static unsigned int
free_port(void)
{
	struct sockaddr_in in;
	socklen_t len = sizeof(in);
	int fd;

	do {
		memset(&in, 0, sizeof(in));
		in.sin_family = AF_INET;
		in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (bind(fd, (struct sockaddr *)&in, sizeof(in)) == -1 || getsockname(fd, (struct sockaddr *)&in, &len) == -1)
			return 0;
		close(fd);
	} while (ntohs(in.sin_port) > PORT_MAX);
	return ntohs(in.sin_port);
}

int
redis_server_single(char url[REDIS_SERVER_URL])
{
	if (single.pid == 0 && start(&single, "single", 0) == -1)
		return -1;
	snprintf(url, REDIS_SERVER_URL, "redis+unix://%s/socket", single.folder);
	return must_say(&single, "FLUSHALL", "OK");
}

static int
start_masters(void)
{
	char name[16], line[64];
	unsigned int i;

	for (i = 0; i < MASTERS; i++) {
		snprintf(name, sizeof(name), "master%u", i);
		snprintf(line, sizeof(line), "CLUSTER ADDSLOTSRANGE %u %u", i * 16384 / MASTERS, (i + 1) * 16384 / MASTERS - 1);
		if (start(&masters[i], name, free_port()) == -1 || must_say(&masters[i], line, "OK") == -1)
			return -1;
		snprintf(line, sizeof(line), "CLUSTER MEET 127.0.0.1 %u", masters[i].port);
		if (i > 0 && must_say(&masters[0], line, "OK") == -1)
			return -1;
	}
	for (i = 0; i < MASTERS; i++)
		if (wait_until(&masters[i], "CLUSTER INFO", "cluster_slots_ok:16384") == -1 ||
		    wait_until(&masters[i], "CLUSTER INFO", "cluster_state:ok") == -1)
			return -1;
	return 0;
}

int
redis_server_cluster(char url[REDIS_SERVER_URL])
{
	unsigned int i;

	if (masters[0].pid == 0 && start_masters() == -1)
		return -1;
	for (i = 0; i < MASTERS; i++)
		if (must_say(&masters[i], "FLUSHALL", "OK") == -1)
			return -1;
	snprintf(url, REDIS_SERVER_URL, "redis+cluster://127.0.0.1:%u", masters[1].port);
	return 0;
}

int
redis_server_say(const char *line, char *answer, size_t size)
{
	return say(&single, line, answer, size);
}
