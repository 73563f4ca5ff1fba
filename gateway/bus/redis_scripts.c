/* redis_scripts.c -- see redis_scripts.h. */
#include "redis_scripts.h"

#include <openssl/sha.h>

void redis_scripts_init(struct redis_scripts *scripts)
{
    for (int i = 0; i < SCRIPTS; i++) {
        unsigned char digest[SHA_DIGEST_LENGTH];
        SHA1((const unsigned char *)redis_script_texts[i].data, redis_script_texts[i].len, digest);
        for (size_t at = 0; at < SHA_DIGEST_LENGTH; at++) {
            scripts->sha[i][2 * at] = "0123456789abcdef"[digest[at] >> 4];
            scripts->sha[i][2 * at + 1] = "0123456789abcdef"[digest[at] & 15];
        }
        scripts->sha[i][SCRIPT_SHA_LEN] = '\0';
    }
}

static void on_loaded(void *ctx, const struct resp_value *value)
{
    const struct redis_commander *commander = ctx;
    if (value->type == RESP_ERROR)
        log_event(commander->env->log, LOG_ERROR, "redis refuses a script", log_bytes("error", value->text));
}

void redis_scripts_load(const struct redis_scripts *scripts, struct redis_commander *commander)
{
    (void)scripts; /* the server hashes them itself */
    for (int i = 0; i < SCRIPTS; i++)
        redis_commander_call(commander, 3, (const char *[]){"SCRIPT", "LOAD", redis_script_texts[i].data}, on_loaded,
                             commander);
}

bool redis_scripts_forgotten(const struct resp_value *value)
{
    return value->type == RESP_ERROR && value->text.len >= 8 && memcmp(value->text.data, "NOSCRIPT", 8) == 0;
}
