/* redis_position.c -- see redis_position.h. */
#include "redis_position.h"

#include <inttypes.h>

bool redis_number_read(struct bytes text, uint64_t *number)
{
    uint64_t value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(text.data[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *number = value;
    return text.len > 0;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool redis_id_read(struct bytes text, size_t digits, uint64_t *id)
{
    *id = 0;
    for (size_t i = 0; i < text.len; i++) {
        int digit = hex_digit(text.data[i]);
        if (digit < 0)
            return false;
        *id = *id << 4 | (uint64_t)digit;
    }
    return text.len == digits;
}

/* The next word, up to a space or the end. */
static struct bytes next_word(struct bytes *text)
{
    const char *space = text->len ? memchr(text->data, ' ', text->len) : NULL;
    struct bytes word = {text->data, space ? (size_t)(space - text->data) : text->len};
    size_t used = word.len + (space ? 1 : 0);
    *text = (struct bytes){text->data + used, text->len - used};
    return word;
}

static bool epoch_read(struct bytes word, struct bytes *epoch)
{
    *epoch = bytes_equal(word, BYTES("-")) ? (struct bytes){word.data, 0} : word;
    return word.len > 0 && word.len <= EPOCH_MAX;
}

bool redis_position_read(struct bytes text, struct bus_position *position, struct bytes *gen)
{
    *position = (struct bus_position){0};
    uint64_t known = 0;
    bool valid = epoch_read(next_word(&text), &position->epoch);
    *gen = next_word(&text);
    valid = valid && gen->len > 0;
    valid = redis_number_read(next_word(&text), &position->seq) && valid;
    valid = redis_number_read(next_word(&text), &position->base) && valid;
    valid = epoch_read(next_word(&text), &position->prev) && valid;
    valid = redis_number_read(next_word(&text), &position->prevtop) && valid;
    valid = redis_number_read(next_word(&text), &position->pv) && valid;
    valid = redis_number_read(next_word(&text), &known) && valid;
    position->known = known != 0;
    return valid && text.len == 0;
}
