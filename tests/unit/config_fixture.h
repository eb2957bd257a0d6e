/*
 * What the tests of the configuration share: a fresh configuration and a folder with a file in it.
 */
#ifndef CONFIG_FIXTURE_H
#define CONFIG_FIXTURE_H

#include <sys/stat.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"

struct fixture {
	struct config *config;
	struct err err;
	char folder[64];
	char path[128];
};

static inline int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	strcpy(f->folder, "/tmp/test_config.XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->path, sizeof(f->path), "%s/test.conf", f->folder);
	assert_int_equal(config_new(&f->config, &f->err), 0);
	*state = f;
	return 0;
}

static inline int
teardown(void **state)
{
	struct fixture *f = *state;

	config_free(&f->config);
	assert_null(f->config);
	unlink(f->path);
	rmdir(f->folder);
	free(f);
	return 0;
}

static inline void
write_bytes(struct fixture *f, const char *bytes, size_t len)
{
	FILE *file = fopen(f->path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(f->path, 0644), 0);
}

static inline int
read_text(struct fixture *f, const char *text)
{
	write_bytes(f, text, strlen(text));
	memset(&f->err, 0, sizeof(f->err));
	return config_read(f->config, f->path, true, -1, &f->err);
}

static inline void
assert_refused(struct fixture *f, int result, const char *part)
{
	if (result != -1 || f->err.status != STATUS_CONFIG || strstr(f->err.text, part) == NULL)
		fail_msg("expected '%s', got %d status %d '%s'", part, result, f->err.status, f->err.text);
	assert_null(strchr(f->err.text, '\n'));
}

static inline void
set_ok(struct fixture *f, const char *assignment)
{
	if (config_set(f->config, assignment, &f->err) != 0)
		fail_msg("%s: %s", assignment, f->err.text);
}

#endif
