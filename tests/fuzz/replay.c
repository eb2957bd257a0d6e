/*
 * In place of libFuzzer: gives a fuzzer the files of its corpus, one by one, and prints TAP.
 *
 * Usage: fuzz_NAME [FILE...]; without files those in tests/fuzz/corpus/NAME.
 */
#include <dirent.h>
#include <signal.h>

#include "fuzz.h"

static char doing[512];	/* the line for the input that is worked on, should it be the last one */

static void
die(int sig)
{
	(void)sig;
	(void)!write(STDOUT_FILENO, doing, strlen(doing));
	_exit(1);
}

static void
replay(const char *path, int n)
{
	FILE *f = fopen(path, "rbe");
	uint8_t *bytes, *exact;
	size_t size;

	snprintf(doing, sizeof(doing), "not ok %d - %s\n", n, path);
	must(f != NULL);
	bytes = malloc(1 << 20);
	must(bytes != NULL);
	size = fread(bytes, 1, 1 << 20, f);
	must(!ferror(f) && feof(f));
	fclose(f);
	exact = realloc(bytes, size == 0 ? 1 : size);
	must(exact != NULL);
	LLVMFuzzerTestOneInput(exact, size);
	free(exact);
	printf("ok %d - %s\n", n, path);
	fflush(stdout);
}

static int
is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int
replay_folder(const char *name)
{
	struct dirent **entries;
	char path[400];
	int i, n;

	snprintf(path, sizeof(path), "tests/fuzz/corpus/%s", name);
	n = scandir(path, &entries, is_visible, alphasort);
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "tests/fuzz/corpus/%s/%.200s", name, entries[i]->d_name);
		replay(path, i + 1);
		free(entries[i]);
	}
	if (n > 0)
		free(entries);
	return n;
}

int
main(int argc, char **argv)
{
	const char *slash = strrchr(argv[0], '/');
	const char *name = slash == NULL ? argv[0] : slash + 1;
	int i, n = argc - 1;

	signal(SIGABRT, die);
	signal(SIGSEGV, die);
	signal(SIGBUS, die);
	signal(SIGFPE, die);
	for (i = 1; i < argc; i++)
		replay(argv[i], i);
	if (argc == 1)
		n = replay_folder(starts_with(name, strlen(name), "fuzz_") ? name + 5 : name);
	printf("1..%d\n", n);
	return n > 0 ? 0 : 1;
}
