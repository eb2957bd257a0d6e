/* The command of a pipe. */
#include <sys/stat.h>

#include <ctype.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "expand.h"
#include "string_list.h"

#define BLANKS " \t"

struct splitter {
	const char *p;
	char *out;		/* the word so far */
	size_t len;
};

/* What stands between quotes. Returns 0, or -1: they do not end. */
static int
quoted(struct splitter *s, char quote)
{
	for (; *s->p != quote; s->p++) {
		if (*s->p == '\0')
			return -1;
		if (quote == '"' && *s->p == '\\' && (s->p[1] == '"' || s->p[1] == '\\'))
			s->p++;
		s->out[s->len++] = *s->p;
	}
	s->p++;
	return 0;
}

/* One word, up to a blank. */
static int
next_word(struct splitter *s, struct err *err)
{
	char c;

	s->len = 0;
	while (*s->p != '\0' && strchr(BLANKS, *s->p) == NULL) {
		c = *s->p++;
		if (c == '\'' || c == '"') {
			if (quoted(s, c) == -1)
				return err_set(err, STATUS_CONFIG, "a quote in the command has no end");
		} else if (c == '\\') {
			if (*s->p == '\0')
				return err_set(err, STATUS_CONFIG, "a single backslash at the end of the command");
			s->out[s->len++] = *s->p++;
		} else
			s->out[s->len++] = c;
	}
	s->out[s->len] = '\0';
	return 0;
}

static int
split(char ***words, const char *text, struct err *err)
{
	struct splitter s = { .p = text + strspn(text, BLANKS) };
	char **list = calloc(COMMAND_WORDS_MAX + 1, sizeof(*list));
	size_t n = 0;
	int ret = -1;

	*words = NULL;
	s.out = malloc(strlen(text) + 1);
	if (list == NULL || s.out == NULL) {
		err_sys(err, "malloc", NULL);
		goto done;
	}
	for (; *s.p != '\0'; s.p += strspn(s.p, BLANKS)) {
		if (n == COMMAND_WORDS_MAX) {
			err_set(err, STATUS_CONFIG, "the command has more than %d words", COMMAND_WORDS_MAX);
			goto done;
		}
		if (next_word(&s, err) == -1)
			goto done;
		list[n] = strdup(s.out);
		if (list[n++] == NULL) {
			err_sys(err, "strdup", NULL);
			goto done;
		}
	}
	if (n == 0 || list[0][0] == '\0')
		err_set(err, STATUS_CONFIG, "the command names no program");
	else
		ret = 0;
done:
	free(s.out);
	if (ret == -1)
		strings_free(&list);
	else
		*words = list;
	return ret;
}

static bool
names_shell(const char *word)
{
	static const char *const shells[] = { "sh", "ash", "bash", "csh", "dash", "fish", "ksh", "lksh", "mksh", "posh", "rbash", "tcsh", "yash", "zsh" };
	const char *slash = strrchr(word, '/');
	size_t i;

	for (i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		if (strcmp(slash != NULL ? slash + 1 : word, shells[i]) == 0)
			return true;
	return false;
}

/* "-c", "-lc", "-ec": what follows is a program in the language of a shell, for all that we know. To a shell "-ce" and "-co" say so, too. */
static bool
announces_code(const char *word, bool shell)
{
	size_t len = strlen(word), i;

	if (len < 2 || word[0] != '-' || (shell ? strchr(word, 'c') == NULL : word[len - 1] != 'c'))
		return false;
	for (i = 1; i < len; i++)
		if (!isalpha((unsigned char)word[i]))
			return false;
	return true;
}

/* Up to which word there may be code, after words[i] has announced it. A shell takes more options first, and o has a word for itself. */
static size_t
code_until(char *const *words, size_t i, bool shell)
{
	if (!shell)
		return i + 1;
	for (; words[i] != NULL && (words[i][0] == '-' || words[i][0] == '+'); i++)
		if (strpbrk(words[i], "oO") != NULL)
			return SIZE_MAX;
	return i;
}

static bool
has_variable(const char *word)
{
	for (; (word = strchr(word, '%')) != NULL && word[1] != '\0'; word += 2)
		if (strchr("und", word[1]) != NULL)
			return true;
	return false;
}

static int
check_words(char *const *words, struct err *err)
{
	size_t i, until, code = 0;
	bool shell = false;

	for (i = 0; words[i] != NULL; i++) {
		if (expand_check(words[i], err) != 0)
			return -1;
		if (i == 0 && has_variable(words[i]))
			return err_set(err, STATUS_CONFIG, "the program can't be named by %%u, %%n or %%d");
		if (i > 0 && i <= code && has_variable(words[i]))
			return err_set(err, STATUS_CONFIG, "%%u, %%n and %%d can't stand in the code that follows -c: a shell would run what is "
			    "in an address; use \"$USER\" or \"$RECIPIENT\" there");
		until = announces_code(words[i], shell) ? code_until(words, i, shell) : 0;
		if (until > code)
			code = until;
		shell = shell || names_shell(words[i]);
	}
	return 0;
}

int
command_check(const char *text, struct err *err)
{
	char **words;
	int ret;

	if (strlen(text) >= PATH_MAX)
		return err_set(err, STATUS_CONFIG, "the command is longer than %d bytes", PATH_MAX - 1);
	if (split(&words, text, err) == -1)
		return -1;
	ret = check_words(words, err);
	strings_free(&words);
	return ret;
}

int
command_make(char ***words, const char *text, const struct identity *who, const char *delimiter, struct err *err)
{
	char **list, *expanded;
	size_t i;

	*words = NULL;
	if (split(&list, text, err) == -1)
		return -1;
	if (check_words(list, err) == -1)
		goto fail;
	for (i = 0; list[i] != NULL; i++) {
		if (expand_word(&expanded, list[i], who, delimiter, err) != 0)
			goto fail;
		free(list[i]);
		list[i] = expanded;
	}
	*words = list;
	return 0;
fail:
	strings_free(&list);
	return -1;
}

static bool
can_run(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

char *
command_program(const char *word, struct err *err)
{
	const char *folder = COMMAND_PATH;
	size_t len;
	char *path;

	if (strchr(word, '/') != NULL) {
		path = can_run(word) ? strdup(word) : NULL;
		if (path == NULL)
			err_set(err, STATUS_TEMP, "pipe: %.200s: there is no such program, or this user can't run it", word);
		return path;
	}
	for (; *folder != '\0'; folder += len + (folder[len] == ':')) {
		len = strcspn(folder, ":");
		if (asprintf(&path, "%.*s/%s", (int)len, folder, word) == -1) {
			err_sys(err, "look for a program", NULL);
			return NULL;
		}
		if (can_run(path))
			return path;
		free(path);
	}
	err_set(err, STATUS_TEMP, "pipe: %.200s: there is no such program in %s", word, COMMAND_PATH);
	return NULL;
}
