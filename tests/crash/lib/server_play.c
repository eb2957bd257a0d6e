/* One point after the other. */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "crew.h"
#include "mail.h"
#include "server_play.h"
#include "snapshot.h"

#define SIZE 300		/* of messages, bytes */
#define UNTIL_TAKEN_MS 40000	/* for the target to be accepted in the end */

static const struct server_scene scenes[] = {
	{ .name = "maildir", .quick = true },
	{ .name = "maildir, a worker that has delivered before", .warm = true },
	{ .name = "maildir, the first message", .first = true },
	{ .name = "mbox", .mbox = true, .quick = true },
	{ .name = "mbox, a worker that has delivered before", .mbox = true, .warm = true },
	{ .name = "user", .user = true, .quick = true },
	{ .name = "user, the first message", .user = true, .first = true },
};

bool
server_scenes_play(const struct harness *h, bool users, bool (*play)(const struct server_scene *scene))
{
	const struct server_scene *s;
	bool good = true;

	for (s = scenes; s < scenes + sizeof(scenes) / sizeof(scenes[0]); s++)
		if (s->user == users && (h->only != NULL ? strstr(s->name, h->only) != NULL : s->quick || !h->quick))
			good = play(s) && good;
	return good;
}

static void
make_folder(const char *path)
{
	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		die(path);
}

/* Users are expected to have no configuration of their own. */
static void
use_home(struct server_play *p, const char *users)
{
	char name[sizeof(p->to)];
	const char *colon = users != NULL ? strchr(users, ':') : NULL;
	const struct passwd *pw;

	if (colon == NULL) {
		errno = EINVAL;
		die("users");
	}
	snprintf(name, sizeof(name), "%.*s", (int)(colon - users), users);
	snprintf(p->to, sizeof(p->to), "%.90s@example.org", name);
	snprintf(p->by, sizeof(p->by), "%.90s@example.org", colon + 1);
	pw = getpwnam(name);
	if (pw == NULL)
		die(name);
	snprintf(p->mailbox, sizeof(p->mailbox), "%.4000s/Maildir", pw->pw_dir);
	snprintf(p->ledger, sizeof(p->ledger), "%.4000s/.dedup-lda", pw->pw_dir);
}

void
server_play_make(struct server_play *p, const struct server_scene *scene, const char *folder, const char *build, const char *users,
    const char *const *more)
{
	char mailbox[PATH_MAX], ledger[PATH_MAX], log[PATH_MAX];
	const char *options[SERVER_OPTIONS] = { "-o", log };
	size_t i, n = 2;

	memset(p, 0, sizeof(*p));
	p->scene = scene;
	remove_tree(folder);
	make_folder(folder);
	snprintf(p->log, sizeof(p->log), "%.4000s/log", folder);
	snprintf(p->ledger, sizeof(p->ledger), "%.4000s/L", folder);
	snprintf(p->mailbox, sizeof(p->mailbox), "%.4000s/target", folder);
	snprintf(p->to, sizeof(p->to), "target@example.org");
	snprintf(p->by, sizeof(p->by), "bystander@example.org");
	if (scene->user) {
		use_home(p, users);
		snprintf(log, sizeof(log), "log=syslog");
	} else {
		snprintf(log, sizeof(log), "log=file:%.4000s/log", folder);
		snprintf(mailbox, sizeof(mailbox), "mailbox=%s:%.4000s/%%n", scene->mbox ? "mbox" : "maildir", folder);
		snprintf(ledger, sizeof(ledger), "ledger=bdb:%.4000s/L", folder);
		options[n++] = "-o";
		options[n++] = mailbox;
		options[n++] = "-o";
		options[n++] = ledger;
	}
	for (i = 0; more[i] != NULL && n < SERVER_OPTIONS - 1; i++)
		options[n++] = more[i];
	server_make(&p->server, folder, build, options);
	p->server.monitors = scene->user;
}

void
server_play_free(struct server_play *p)
{
	client_close(&p->bystander);
	server_free(&p->server);
	free(p->old.text);
	free(p->target.text);
}

static void
write_letter(const struct server_play *p, struct letter *l, const char *kind)
{
	char name[64];

	snprintf(name, sizeof(name), "%s-%ld-%u", kind, (long)getpid(), p->number);
	free(l->text);
	l->text = mail_text(name, SIZE, &l->len);
}

static bool
deliver(struct server_play *p, const struct letter *l)
{
	return client_deliver(&p->client, p->server.socket, p->to, l->text, l->len);
}

static void
empty_maildir(const char *mailbox)
{
	static const char *const subs[] = { "new", "cur" };
	char path[PATH_MAX + 8];
	struct dirent *entry;
	size_t i;
	DIR *d;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", mailbox, subs[i]);
		d = opendir(path);
		while (d != NULL && (entry = readdir(d)) != NULL)
			if (entry->d_name[0] != '.' && unlinkat(dirfd(d), entry->d_name, 0) == -1)
				die(path);
		if (d != NULL)
			closedir(d);
	}
}

/* A worker whose every unlink(2) and utimensat(2) fails lives on, so its dotlock would count until stale-lock-time. */
static void
remove_mbox(const char *mailbox)
{
	char dotlock[PATH_MAX + 8];

	snprintf(dotlock, sizeof(dotlock), "%s.lock", mailbox);
	(void)unlink(dotlock);
	(void)unlink(mailbox);
}

static void
prepare_mailbox(struct server_play *p)
{
	if (p->scene->first && !p->scene->mbox)
		remove_tree(p->mailbox);
	else if (p->scene->mbox)
		remove_mbox(p->mailbox);
	else
		empty_maildir(p->mailbox);
	write_letter(p, &p->old, "old");
	write_letter(p, &p->target, "target");
	if (!p->scene->first && !deliver(p, &p->old)) {
		show_file(p->log);
		die("the old message is not taken");
	}
}

/* Half of a message, and all of the dialogue before it. */
static void
begin_bystander(struct server_play *p)
{
	char text[128];
	int n = snprintf(text, sizeof(text), "Message-ID: <by-%ld-%u@crash.example.org>\nDate: today\n", (long)getpid(), p->number);

	if (p->bystander.in == NULL && !client_open(&p->bystander, p->server.socket))
		die("the bystander is not greeted");
	if (!client_begin(&p->bystander, p->by))
		die("the bystander can't send");
	client_text(&p->bystander, text, (size_t)n, false);
}

static bool
end_bystander(struct server_play *p)
{
	static const char rest[] = "Subject: the other one\n\nText.\n";
	bool taken;

	client_text(&p->bystander, rest, sizeof(rest) - 1, true);
	taken = client_answer(&p->bystander);
	if (p->server.master == 0)
		client_close(&p->bystander);	/* its worker ends now */
	return taken;
}

static void *
run_client(void *arg)
{
	struct server_play *p = arg;

	(void)deliver(p, &p->target);
	return NULL;
}

/* Signals are for the thread that traces. */
static void
start_client(struct server_play *p)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	errno = pthread_create(&p->thread, NULL, run_client, p);
	if (errno != 0)
		die("pthread_create");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

bool
server_play_begin(struct server_play *p)
{
	static unsigned int points;	/* of all scenes: the ledger of a system user outlives one */
	pid_t monitor;

	p->number = ++points;
	p->calls = 0;
	server_start(&p->server);
	begin_bystander(p);
	prepare_mailbox(p);
	p->worker = p->scene->warm ? server_idle_worker(&p->server) : server_fresh_worker(&p->server);
	if (!tree_attach(&p->tree, p->worker))
		return false;
	monitor = server_monitor(&p->server, p->worker);
	if (monitor != 0)
		tree_add(&p->tree, monitor);
	start_client(p);
	return true;
}

/* A new worker may still be on its way to the socket, so calls count from the connection on. */
bool
server_play_step(struct server_play *p, struct call *call)
{
	struct tracee caller = { .in_call = true };

	do {
		if (!tree_step(&p->tree))
			return false;
		caller.pid = p->tree.stopped;
		trace_call(&caller, call);
	} while (p->calls == 0 && call->nr != SYS_accept4);
	p->calls++;
	return caller.pid != p->worker || call->nr != SYS_ppoll || !server_is_idle(&p->server, p->worker);
}

bool
server_play_leave(struct server_play *p)
{
	tree_leave(&p->tree);
	pthread_join(p->thread, NULL);
	return strncmp(p->client.reply, "250", 3) == 0;
}

/* Each file ends with one of the two; what the server adds is in front. Returns how many do not. */
static unsigned int
count_file(struct server_play *p, const char *path)
{
	size_t len, i;
	char *bytes = read_whole(path, &len);
	struct letter *letters[] = { &p->old, &p->target };

	for (i = 0; bytes != NULL && i < 2; i++)
		if (len >= letters[i]->len && memcmp(bytes + len - letters[i]->len, letters[i]->text, letters[i]->len) == 0)
			break;
	free(bytes);
	if (i == 2)
		return 1;
	letters[i]->seen++;
	return 0;
}

static unsigned int
count_folder(struct server_play *p, const char *sub)
{
	char path[PATH_MAX + 300];
	struct dirent *entry;
	unsigned int torn = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/%s", p->mailbox, sub);
	d = opendir(path);
	while (d != NULL && (entry = readdir(d)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", p->mailbox, sub, entry->d_name);
		torn += count_file(p, path);
	}
	if (d != NULL)
		closedir(d);
	return torn;
}

static unsigned int
count_text(const char *bytes, size_t len, const char *text, size_t text_len)
{
	const char *at;
	unsigned int n = 0;

	while ((at = memmem(bytes, len, text, text_len)) != NULL) {
		n++;
		len -= (size_t)(at + text_len - bytes);
		bytes = at + text_len;
	}
	return n;
}

/* An entry is whole, or it is torn. */
static unsigned int
count_file_of_all(struct server_play *p)
{
	static const char begin[] = "\nX-Dedup-Id: ";
	size_t len;
	char *bytes = read_whole(p->mailbox, &len);
	unsigned int entries;

	if (bytes == NULL)
		return 0;
	p->old.seen = count_text(bytes, len, p->old.text, p->old.len);
	p->target.seen = count_text(bytes, len, p->target.text, p->target.len);
	entries = count_text(bytes, len, begin, sizeof(begin) - 1);
	free(bytes);
	return entries - p->old.seen - p->target.seen;
}

/* Sets `seen` of both; returns how many torn things there are. */
static unsigned int
count_all(struct server_play *p)
{
	p->old.seen = p->target.seen = 0;
	return p->scene->mbox ? count_file_of_all(p) : count_folder(p, "new") + count_folder(p, "cur");
}

unsigned int
server_play_copies(struct server_play *p)
{
	(void)count_all(p);
	return p->target.seen;
}

/* Until it is taken, as an MTA does. */
static bool
deliver_again(struct server_play *p)
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	long until = now_ms() + UNTIL_TAKEN_MS;

	while (!deliver(p, &p->target)) {
		if (now_ms() > until)
			return false;
		nanosleep(&moment, NULL);
	}
	return true;
}

static bool
is_duplicate(const struct server_play *p)
{
	size_t len = strlen(p->client.reply);

	return len >= 9 && strcmp(p->client.reply + len - 9, "duplicate") == 0;
}

enum count
server_play_judge(struct server_play *p)
{
	bool undisturbed = end_bystander(p), taken, known;
	unsigned int torn;

	server_start(&p->server);
	if (!server_settle(&p->server))
		return COUNT_HUNG;
	taken = deliver_again(p);
	known = deliver(p, &p->target) && is_duplicate(p);
	torn = count_all(p);
	if (p->old.seen != !p->scene->first)
		return COUNT_DAMAGED;
	if (p->target.seen == 0)
		return COUNT_LOST;
	if (p->target.seen > 1)
		return COUNT_DOUBLED;
	if (torn > 0)
		return COUNT_TORN;
	return !taken ? COUNT_STUCK : !undisturbed ? COUNT_DISTURBED : !known ? COUNT_FORGOTTEN : COUNT_ONE;
}
