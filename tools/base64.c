/* Base64, RFC 4648. */
#include <string.h>

#include "base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_text(const unsigned char *in, size_t len, char *text)
{
	unsigned long bits;
	size_t i;

	for (i = 0; i < len; i += 3) {
		bits = (unsigned long)in[i] << 16;
		if (i + 1 < len)
			bits |= (unsigned long)in[i + 1] << 8;
		if (i + 2 < len)
			bits |= in[i + 2];
		*text++ = digits[bits >> 18 & 63];
		*text++ = digits[bits >> 12 & 63];
		*text++ = i + 1 < len ? digits[bits >> 6 & 63] : '=';
		*text++ = i + 2 < len ? digits[bits & 63] : '=';
	}
	*text = '\0';
}

int
base64_bytes(const char *text, unsigned char *out, size_t max, size_t *len)
{
	size_t i, n = strlen(text), data = n;
	unsigned long bits = 0;
	const char *digit;

	while (data > 0 && n - data < 2 && text[data - 1] == '=')
		data--;
	*len = n / 4 * 3 - (n - data);
	if (n % 4 != 0 || *len > max)
		return -1;
	for (i = 0; i < data; i++) {
		digit = strchr(digits, text[i]);
		if (digit == NULL)
			return -1;
		bits = bits << 6 | (unsigned long)(digit - digits);
		if (i % 4 > 0)		/* a byte is complete with the second, third and fourth of four */
			*out++ = (unsigned char)(bits >> (6 - 2 * (i % 4)));
	}
	/* what the padding cuts off is zero: one text for each value */
	return n == data || (bits & (n - data == 1 ? 3UL : 15UL)) == 0 ? 0 : -1;
}
