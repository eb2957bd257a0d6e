/*
 * The one script: compare and swap. It knows frames (redis.h), and nothing of records.
 */
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "redis.h"

#define TEXT(x) #x
#define TEXT_OF(macro) TEXT(macro)

/* KEYS: records. ARGV: the rest of the fingerprint, what is expected ("none", "same"), the same, the new record ("": remove), when it
 * expires, now.
 *
 * What is no frame is dropped with all that follows it; until then it counts as an empty record whose fingerprint ends in zeroes. What is longer
 * than a record counts as it is read, cut: see redis_frame.c.
 *
 * Returns {0} done, {1, what is there}, {2}: nothing is there. All that can fail comes before the one change. */
static const char text[] =
"local all = redis.call('GET', KEYS[1]) or ''\n"
"local now, kept, last, never, there, at = tonumber(ARGV[6]), {}, 0, false, nil, 1\n"
"local function keep(frame, expiry)\n"
"  kept[#kept + 1] = frame\n"
"  never = never or expiry == 0\n"
"  last = math.max(last, expiry)\n"
"end\n"
"while at <= #all do\n"
"  local expiry, len = 0, #all\n"
"  if #all >= at + 29 then expiry, len = struct.unpack('>I4I2', all, at + 24) end\n"
"  if #all < at + 29 + len then\n"
"    if ARGV[1] == string.rep('\\0', 24) then there = '' end\n"
"    break\n"
"  end\n"
"  if string.sub(all, at, at + 23) == ARGV[1] then\n"
"    there = string.sub(all, at + 30, at + 29 + math.min(len, " TEXT_OF(RECORD_MAX) "))\n"
"  elseif expiry == 0 or expiry > now then\n"
"    keep(string.sub(all, at, at + 29 + len), expiry)\n"
"  end\n"
"  at = at + 30 + len\n"
"end\n"
"if there and (ARGV[2] == 'none' or there ~= ARGV[3]) then return {1, there} end\n"
"if not there and ARGV[2] == 'same' then return {2} end\n"
"if ARGV[4] ~= '' then\n"
"  keep(ARGV[1] .. struct.pack('>I4I2', tonumber(ARGV[5]), #ARGV[4]) .. ARGV[4], tonumber(ARGV[5]))\n"
"end\n"
"local whole = table.concat(kept)\n"
"if #whole > 262144 then return redis.error_reply('ERR too many separate copies of one message') end\n"
"if whole == '' then\n"
"  redis.call('DEL', KEYS[1])\n"
"elseif never then\n"
"  redis.call('SET', KEYS[1], whole)\n"
"else\n"
"  redis.call('SET', KEYS[1], whole, 'EX', last - now)\n"
"end\n"
"return {0}\n";

/* Servers know a script by its SHA-1. */
static void
name_of(char name[REDIS_SCRIPT_NAME])
{
	unsigned char bytes[SHA_DIGEST_LENGTH];
	SHA_CTX ctx;
	size_t i;

	SHA1_Init(&ctx);
	SHA1_Update(&ctx, text, strlen(text));
	SHA1_Final(bytes, &ctx);
	for (i = 0; i < sizeof(bytes); i++)
		snprintf(name + 2 * i, 3, "%02x", bytes[i]);
}

void
redis_script_begin(struct redis_command *c, char name[REDIS_SCRIPT_NAME])
{
	name_of(name);
	c->argc = 0;
	redis_word(c, "EVALSHA");
	redis_word(c, name);
	redis_word(c, "1");
}

static bool
is_unknown(const redisReply *reply)
{
	return reply != NULL && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOSCRIPT", strlen("NOSCRIPT")) == 0;
}

/* A server that has just been started does not know it. */
enum redis_result
redis_script_send(struct redis *r, unsigned int bucket, struct redis_request *q, redisReply **reply, struct err *err)
{
	enum redis_result result = redis_send(r, bucket, q, reply, err);

	if (is_unknown(*reply)) {
		freeReplyObject(*reply);
		q->main.argv[0] = "EVAL";
		q->main.len[0] = strlen(q->main.argv[0]);
		q->main.argv[1] = text;
		q->main.len[1] = strlen(text);
		result = redis_send(r, bucket, q, reply, err);
	}
	if (result != REDIS_DONE) {
		freeReplyObject(*reply);
		*reply = NULL;
	}
	return result;
}
