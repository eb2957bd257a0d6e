/*
 * What changes more than one key is a script, so that it is carried out as a whole or not at all. Scripts know frames (redis.h), and
 * nothing of records.
 */
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "redis.h"

/* KEYS: records, pending, events, counts. ARGV: the rest of the fingerprint, what is expected ("none", "same"), the same, the new record
 * ("": remove), when it expires, now, is it pending ("1"), the fingerprint, an event ("": none), how many of them are kept.
 *
 * What is no frame is dropped with all that follows it; until then it counts as an empty record whose fingerprint ends in zeroes.
 *
 * Returns {0} done, {1, what is there}, {2}: nothing is there. All that can fail comes before the first change; errors of what is only a
 * help are not told. */
static const char put_text[] =
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
"    there = string.sub(all, at + 30, at + 29 + len)\n"
"  elseif expiry == 0 or expiry > now then\n"
"    keep(string.sub(all, at, at + 29 + len), expiry)\n"
"  end\n"
"  at = at + 30 + len\n"
"end\n"
"local result = {0}\n"
"if there and (ARGV[2] == 'none' or there ~= ARGV[3]) then\n"
"  result = {1, there}\n"
"elseif not there and ARGV[2] == 'same' then\n"
"  result = {2}\n"
"else\n"
"  if ARGV[4] ~= '' then\n"
"    keep(ARGV[1] .. struct.pack('>I4I2', tonumber(ARGV[5]), #ARGV[4]) .. ARGV[4], tonumber(ARGV[5]))\n"
"  end\n"
"  local whole = table.concat(kept)\n"
"  if #whole > 262144 then return redis.error_reply('ERR too many separate copies of one message') end\n"
"  if whole == '' then\n"
"    redis.call('DEL', KEYS[1])\n"
"  elseif never then\n"
"    redis.call('SET', KEYS[1], whole)\n"
"  else\n"
"    redis.call('SET', KEYS[1], whole, 'EX', last - now)\n"
"  end\n"
"  if ARGV[7] == '1' then\n"
"    redis.pcall('ZADD', KEYS[2], now, ARGV[8])\n"
"  else\n"
"    redis.pcall('ZREM', KEYS[2], ARGV[8])\n"
"  end\n"
"end\n"
"if ARGV[9] ~= '' and (result[1] == 0 or ARGV[4] ~= '') then\n"
"  redis.pcall('RPUSH', KEYS[3], ARGV[9])\n"
"  redis.pcall('LTRIM', KEYS[3], -tonumber(ARGV[10]), -1)\n"
"  redis.pcall('HINCRBY', KEYS[4], 'noted', 1)\n"
"end\n"
"return result\n";

/* KEYS: events, counts. ARGV: an event ("": none), how many are kept, is it a duplicate ("1"). */
static const char note_text[] =
"if ARGV[1] ~= '' then\n"
"  redis.call('RPUSH', KEYS[1], ARGV[1])\n"
"  redis.call('LTRIM', KEYS[1], -tonumber(ARGV[2]), -1)\n"
"  redis.call('HINCRBY', KEYS[2], 'noted', 1)\n"
"end\n"
"if ARGV[3] == '1' then redis.call('HINCRBY', KEYS[2], 'duplicates', 1) end\n"
"return {0}\n";

static const char *const texts[REDIS_SCRIPTS] = { [REDIS_PUT] = put_text, [REDIS_NOTE] = note_text };

/* Servers know a script by its SHA-1. */
static void
name_of(enum redis_script script, char name[REDIS_SCRIPT_NAME])
{
	unsigned char bytes[SHA_DIGEST_LENGTH];
	SHA_CTX ctx;
	size_t i;

	SHA1_Init(&ctx);
	SHA1_Update(&ctx, texts[script], strlen(texts[script]));
	SHA1_Final(bytes, &ctx);
	for (i = 0; i < sizeof(bytes); i++)
		snprintf(name + 2 * i, 3, "%02x", bytes[i]);
}

void
redis_script_command(struct redis_command *c, char name[REDIS_SCRIPT_NAME], enum redis_script script, int keys,
    const struct redis_command *rest)
{
	static const char *const numbers[] = { "0", "1", "2", "3", "4" };
	int i;

	name_of(script, name);
	c->argc = 0;
	redis_word(c, "EVALSHA");
	redis_word(c, name);
	redis_word(c, numbers[keys]);
	for (i = 0; i < rest->argc; i++)
		redis_arg(c, rest->argv[i], rest->len[i]);
}

static bool
is_unknown(const redisReply *reply)
{
	return reply != NULL && reply->type == REDIS_REPLY_ERROR && strncmp(reply->str, "NOSCRIPT", strlen("NOSCRIPT")) == 0;
}

/* A server that has just been started does not know it. */
enum redis_result
redis_run(struct redis *r, unsigned int bucket, enum redis_script script, int keys, const struct redis_command *rest, redisReply **reply,
    struct err *err)
{
	struct redis_command c;
	enum redis_result result;
	char name[REDIS_SCRIPT_NAME];

	redis_script_command(&c, name, script, keys, rest);
	result = redis_call(r, bucket, &c, false, reply, err);
	if (is_unknown(*reply)) {
		freeReplyObject(*reply);
		c.argv[0] = "EVAL";
		c.len[0] = strlen(c.argv[0]);
		c.argv[1] = texts[script];
		c.len[1] = strlen(texts[script]);
		result = redis_call(r, bucket, &c, false, reply, err);
	}
	if (result != REDIS_DONE && *reply != NULL) {
		freeReplyObject(*reply);
		*reply = NULL;
	}
	return result;
}
