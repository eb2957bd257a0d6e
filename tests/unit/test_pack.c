/* Packed bytes: what fits comes back, what does not is noticed. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "pack.h"

static void
test_round_trip(void **state)
{
	unsigned char bytes[64];
	struct packer p = { .bytes = bytes, .size = sizeof(bytes) };
	struct unpacker u = { .bytes = bytes };
	char text[8];
	size_t len;

	(void)state;
	pack_int(&p, 0x0102030405060708ULL, 8);
	pack_int(&p, 0xab, 1);
	pack_string(&p, "hello", 5);
	pack_string(&p, "", 0);
	assert_false(p.full);
	assert_memory_equal(bytes, "\1\2\3\4\5\6\7\10\xab\0\5hello\0\0", 18);
	u.left = p.len;
	assert_int_equal(unpack_int(&u, 8), 0x0102030405060708ULL);
	assert_int_equal(unpack_int(&u, 1), 0xab);
	unpack_text(&u, text, sizeof(text));
	assert_string_equal(text, "hello");
	unpack_string(&u, &len);
	assert_int_equal(len, 0);
	assert_false(u.bad);
	assert_int_equal(u.left, 0);
}

static void
test_too_small(void **state)
{
	unsigned char bytes[4];
	struct packer p = { .bytes = bytes, .size = sizeof(bytes) };
	static unsigned char large[70000];

	(void)state;
	pack_int(&p, 1, 3);
	pack_int(&p, 1, 2);
	assert_true(p.full);
	pack_int(&p, 1, 1);	/* would fit, but comes after what did not */
	assert_int_equal(p.len, 3);
	p = (struct packer){ .bytes = large, .size = sizeof(large) };
	pack_string(&p, large, 65536);
	assert_true(p.full);
}

static void
test_bad_input(void **state)
{
	const unsigned char bytes[] = { 0, 5, 'a', 'b', 0, 'd', 'e' };
	struct unpacker u = { .bytes = bytes, .left = 6 };
	char text[16] = "x";
	size_t len;

	(void)state;
	assert_null(unpack_string(&u, &len));
	assert_true(u.bad);
	assert_int_equal(unpack_int(&u, 1), 0);
	u = (struct unpacker){ .bytes = bytes, .left = sizeof(bytes) };
	unpack_text(&u, text, sizeof(text));
	assert_true(u.bad);	/* a NUL inside */
	assert_string_equal(text, "");
	u = (struct unpacker){ .bytes = bytes, .left = sizeof(bytes) };
	unpack_text(&u, text, 5);
	assert_true(u.bad);	/* too long */
}

/* The same for ever, since traces keep it, and another one for each bit and each length. */
static void
test_checksum(void **state)
{
	unsigned char bytes[19] = { 0 };
	uint64_t sum = pack_checksum(bytes, sizeof(bytes));
	size_t i;

	(void)state;
	assert_true(pack_checksum("mail.example.org", 16) == 0xc2a594baaf420617ULL);
	for (i = 0; i < 8 * sizeof(bytes); i++) {
		bytes[i / 8] ^= (unsigned char)(1 << i % 8);
		assert_true(pack_checksum(bytes, sizeof(bytes)) != sum);
		bytes[i / 8] ^= (unsigned char)(1 << i % 8);
	}
	for (i = 0; i < sizeof(bytes); i++)
		assert_true(pack_checksum(bytes, i) != sum);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_too_small),
		cmocka_unit_test(test_bad_input), cmocka_unit_test(test_checksum),
	};

	return cmocka_run_group_tests_name("pack", tests, NULL, NULL);
}
