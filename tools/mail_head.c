/* Comparing the headers of copies. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "fs.h"
#include "mail_head.h"

#define NAME_SHOWN 80	/* bytes of a name that are told */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* The length of a field from p on with its continuation lines, and the last line end. */
static size_t
field_len(const char *p, const char *end)
{
	const char *q = p;

	do {
		q = memchr(q, '\n', (size_t)(end - q));
		if (q == NULL)
			return (size_t)(end - p);
		q++;
	} while (q < end && is_blank(*q));
	return (size_t)(q - p);
}

static int
compare_names(const struct mail_field *a, const struct mail_field *b)
{
	size_t len = a->name_len < b->name_len ? a->name_len : b->name_len;
	int by_bytes = strncasecmp(a->name, b->name, len);

	if (by_bytes != 0 || a->name_len == b->name_len)
		return by_bytes;
	return a->name_len < b->name_len ? -1 : 1;
}

static int
compare(const void *left, const void *right)
{
	const struct mail_field *a = left, *b = right;
	int by_name = compare_names(a, b);

	if (by_name != 0)
		return by_name;
	return a->name < b->name ? -1 : a->name > b->name;
}

/* Add the field at p to the list. False: it is none, the header is over. */
static bool
parse_field(struct mail_head *h, const char *p, size_t len)
{
	const char *colon = memchr(p, ':', len), *nl = memchr(p, '\n', len);
	struct mail_field *f = &h->fields[h->count];

	if (colon == NULL || colon == p || (nl != NULL && nl < colon) || is_blank(*p))
		return false;
	f->name = p;
	f->name_len = (size_t)(colon - p);
	while (f->name_len > 0 && is_blank(p[f->name_len - 1]))
		f->name_len--;
	f->value = colon + 1;
	f->value_len = len - (size_t)(f->value - p);
	h->count++;
	return true;
}

static int
parse(struct mail_head *h, size_t len)
{
	const char *p = h->bytes, *end = p + len;
	size_t n, lines = 1;

	for (n = 0; n < len; n++)
		lines += h->bytes[n] == '\n';
	h->fields = calloc(lines, sizeof(*h->fields));
	if (h->fields == NULL)
		return -1;
	while (end - p > 5 && strncmp(p, "From ", 5) == 0)
		p += field_len(p, end);
	for (; p < end; p += n) {
		n = field_len(p, end);
		if (!parse_field(h, p, n))
			break;
	}
	qsort(h->fields, h->count, sizeof(*h->fields), compare);
	return 0;
}

int
mail_head_read(struct mail_head *h, int fd, uint64_t offset)
{
	ssize_t n;

	memset(h, 0, sizeof(*h));
	h->bytes = malloc(MAIL_HEAD_MAX);
	if (h->bytes == NULL)
		return -1;
	n = fs_pread(fd, h->bytes, MAIL_HEAD_MAX, (off_t)offset, "", NULL);
	return n <= 0 ? 0 : parse(h, (size_t)n);
}

bool
mail_head_value(const struct mail_head *h, const char *name, char *value, size_t size)
{
	const struct mail_field wanted = { .name = name, .name_len = strlen(name) };
	size_t i, j, len = 0;

	for (i = 0; i < h->count; i++)
		if (compare_names(&h->fields[i], &wanted) == 0)
			break;
	if (i == h->count)
		return false;
	for (j = 0; j < h->fields[i].value_len && len + 1 < size; j++)
		if (!isspace((unsigned char)h->fields[i].value[j]))
			value[len++] = h->fields[i].value[j];
		else if (len > 0 && value[len - 1] != ' ')
			value[len++] = ' ';
	while (len > 0 && value[len - 1] == ' ')
		len--;
	value[len] = '\0';
	return true;
}

/* But for white space. */
static bool
is_same_value(const struct mail_field *a, const struct mail_field *b)
{
	size_t i = 0, j = 0;

	for (;;) {
		while (i < a->value_len && isspace((unsigned char)a->value[i]))
			i++;
		while (j < b->value_len && isspace((unsigned char)b->value[j]))
			j++;
		if (i == a->value_len || j == b->value_len)
			return i == a->value_len && j == b->value_len;
		if (a->value[i++] != b->value[j++])
			return false;
	}
}

/* How many fields from i on have the name of the i-th. */
static size_t
same_name(const struct mail_head *h, size_t i)
{
	size_t n = 1;

	while (i + n < h->count && compare_names(&h->fields[i], &h->fields[i + n]) == 0)
		n++;
	return n;
}

static void
tell(const struct mail_field *f, void (*see)(void *arg, const char *name), void *arg)
{
	char name[NAME_SHOWN + 1];
	size_t i, len = f->name_len < NAME_SHOWN ? f->name_len : NAME_SHOWN;

	for (i = 0; i < len; i++)
		name[i] = (char)tolower((unsigned char)f->name[i]);
	name[len] = '\0';
	see(arg, name);
}

void
mail_head_differences(const struct mail_head *a, const struct mail_head *b, void (*see)(void *arg, const char *name), void *arg)
{
	size_t i = 0, j = 0, k, in_a, in_b;
	int order;

	while (i < a->count || j < b->count) {
		order = i == a->count ? 1 : j == b->count ? -1 : compare_names(&a->fields[i], &b->fields[j]);
		in_a = order <= 0 ? same_name(a, i) : 0;
		in_b = order >= 0 ? same_name(b, j) : 0;
		for (k = 0; k < in_a && k < in_b; k++)
			if (!is_same_value(&a->fields[i + k], &b->fields[j + k]))
				break;
		if (k < in_a || k < in_b)
			tell(in_a > 0 ? &a->fields[i] : &b->fields[j], see, arg);
		i += in_a;
		j += in_b;
	}
}

void
mail_head_free(struct mail_head *h)
{
	free(h->bytes);
	free(h->fields);
	memset(h, 0, sizeof(*h));
}
