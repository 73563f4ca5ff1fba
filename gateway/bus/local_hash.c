/* local_hash.c -- see local_hash.h. */
#include "local_hash.h"

#include <stdlib.h>

#include "../../common/siphash.h"
#include "../../common/xalloc.h"
#include "local_table.h"

struct local_field {
    UT_hash_handle hh;
    char *value;
    size_t value_len;
    char name[];
};

static void drop(struct local_hash *hash, struct local_field *field)
{
    HASH_DEL(hash->fields, field);
    free(field->value);
    free(field);
}

void local_hash_write(struct local_hash *hash, const uint64_t hash_key[2], struct bytes name, struct bytes value)
{
    struct local_field *field;
    unsigned code = (unsigned)siphash13(hash_key, name.data, name.len);
    HASH_FIND_BYHASHVALUE(hh, hash->fields, name.data, name.len, code, field);
    if (value.len == 0) {
        if (field)
            drop(hash, field);
        return;
    }
    if (!field) {
        field = xcalloc(1, sizeof *field + name.len);
        if (name.len)
            memcpy(field->name, name.data, name.len);
        HASH_ADD_KEYPTR_BYHASHVALUE(hh, hash->fields, field->name, name.len, code, field);
    }
    free(field->value);
    field->value = xstrndup(value.data, value.len);
    field->value_len = value.len;
}

void local_hash_each(const struct local_hash *hash, void (*see)(void *ctx, struct bytes name, struct bytes value),
                     void *ctx)
{
    for (const struct local_field *field = hash->fields; field; field = field->hh.next)
        see(ctx, (struct bytes){field->name, field->hh.keylen}, (struct bytes){field->value, field->value_len});
}

void local_hash_clear(struct local_hash *hash)
{
    while (hash->fields)
        drop(hash, hash->fields);
}
