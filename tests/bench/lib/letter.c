#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "letter.h"

#define PROSE_MAX 16384		/* larger ones are attachments */
#define LINE 76

/* What a message has been through when an MTA hands it to a delivery agent. Two places take the number. */
static const char header[] =
    "Return-Path: <alice@example.net>\n"
    "Delivered-To: bob@example.org\n"
    "Received: from mx.example.org (mx.example.org [192.0.2.25])\n"
    "\tby store.example.org (Postfix) with ESMTPS id 4XyZ1k0Q2Fz9sT1\n"
    "\tfor <bob@example.org>; Fri, 20 Nov 2026 12:00:07 +0000 (UTC)\n"
    "Received: from out.example.net (out.example.net [198.51.100.7])\n"
    "\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)\n"
    "\t key-exchange X25519 server-signature RSA-PSS (2048 bits))\n"
    "\tby mx.example.org (Postfix) with ESMTPS id 4XyZ1h3lV8z2c7B\n"
    "\tfor <bob@example.org>; Fri, 20 Nov 2026 12:00:05 +0000 (UTC)\n"
    "Received: from [203.0.113.80] (client.example.net [203.0.113.80])\n"
    "\tby out.example.net (Postfix) with ESMTPSA id %010" PRIu64 "\n"
    "\tfor <bob@example.org>; Fri, 20 Nov 2026 12:00:02 +0000 (UTC)\n"
    "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=mail;\n"
    "\tt=1795176002; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=;\n"
    "\th=Date:From:To:Subject:Message-ID:MIME-Version:Content-Type;\n"
    "\tb=Qk2Xh4dG1oY3mT5sW7uZ9aC1eG3iK5mO7qS9uW1yA3cE5gI7kM9oQ1sU3wY5aC7eG9iK1\n"
    "\t mO3qS5uW7yA9cE1gI3kM5oQ7sU9wY1aC3eG5iK7mO9qS1uW3yA5cE7gI9kM1oQ3sU5wY7aC\n"
    "\t 9eG1iK3mO5qS7uW9yA1cE3gI5kM7oQ9sU1wY3aC5eG7iK9mO1qS3uW5yA7cE9gI==\n"
    "X-Spam-Status: No, score=-1.9 required=5.0 tests=BAYES_00,DKIM_SIGNED,\n"
    "\tDKIM_VALID,SPF_PASS autolearn=ham version=4.0.0\n"
    "Date: Fri, 20 Nov 2026 12:00:00 +0000\n"
    "From: Alice Example <alice@example.net>\n"
    "To: Bob Example <bob@example.org>\n"
    "Cc: Carol <carol@example.com>, Dave <dave@example.com>\n"
    "Subject: Re: minutes of the meeting, with the figures\n"
    "Message-ID: <%010" PRIu64 ".bench@mail.example.net>\n"
    "In-Reply-To: <6f1d2c3b-4a59-6878-9796-a5b4c3d2e1f0@example.org>\n"
    "References: <6f1d2c3b-4a59-6878-9796-a5b4c3d2e1f0@example.org>\n"
    "User-Agent: Mutt/2.2.9 (2022-11-12)\n"
    "MIME-Version: 1.0\n"
    "Content-Type: text/plain; charset=us-ascii\n"
    "\n";

/* to is twice as large. */
static size_t
add_cr(char *to, const char *from, size_t len)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		if (from[i] == '\n')
			to[n++] = '\r';
		to[n++] = from[i];
	}
	return n;
}

size_t
letter_header(char *buf, uint64_t number, bool crlf)
{
	char lf[LETTER_HEADER_MAX / 2];
	size_t len = (size_t)snprintf(lf, sizeof(lf), header, number, number);

	if (crlf)
		return add_cr(buf, lf, len);
	memcpy(buf, lf, len);
	return len;
}

/* One line of prose or of an attachment: the same ones every time. */
static void
make_line(char *line, size_t len, bool prose, uint64_t *random)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i, word = 0;

	for (i = 0; i + 1 < len; i++) {
		*random = *random * 6364136223846793005ULL + 1442695040888963407ULL;
		line[i] = prose ? (char)('a' + (*random >> 33) % 26) : letters[(*random >> 33) % 64];
		if (prose && i > 0 && i + 2 < len && ++word > 2 + (*random >> 40) % 8) {
			line[i] = ' ';
			word = 0;
		}
	}
	line[len - 1] = '\n';
}

int
letter_body(size_t size, bool crlf, size_t *len)
{
	char head[LETTER_HEADER_MAX], line[LINE], line_cr[2 * LINE];
	size_t n, left = size - letter_header(head, 0, false);
	uint64_t random = 1;
	int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	FILE *f = fd == -1 ? NULL : fdopen(dup(fd), "w");

	if (f == NULL)
		return -1;
	*len = 0;
	for (; left > 0; left -= n) {
		n = left < LINE ? left : LINE;
		make_line(line, n, size <= PROSE_MAX, &random);
		*len += fwrite(crlf ? line_cr : line, 1, crlf ? add_cr(line_cr, line, n) : n, f);
	}
	return fclose(f) == 0 ? fd : -1;
}
