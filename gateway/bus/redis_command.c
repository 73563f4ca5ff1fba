/* redis_command.c -- see redis_command.h. */
#include "redis_command.h"

#include <stdint.h>

#include "../../common/xalloc.h"

char *redis_command_end(char *at)
{
    *at++ = '\r';
    *at++ = '\n';
    return at;
}

static char *put_number(char *at, char mark, uint64_t number)
{
    char digits[20];
    int count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    *at++ = mark;
    while (count)
        *at++ = digits[--count];
    return redis_command_end(at);
}

char *redis_command_count(char *at, size_t arguments)
{
    return put_number(at, '*', arguments);
}

char *redis_command_length(char *at, size_t len)
{
    return put_number(at, '$', len);
}

char *redis_command_argument(char *at, struct bytes argument)
{
    at = redis_command_length(at, argument.len);
    if (argument.len)
        memcpy(at, argument.data, argument.len);
    return redis_command_end(at + argument.len);
}

char *redis_command_new(int argc, const char **argv, const size_t *lens, size_t *out_len)
{
    size_t need = COMMAND_OVERHEAD;
    for (int i = 0; i < argc; i++)
        need += COMMAND_OVERHEAD + (lens ? lens[i] : strlen(argv[i]));
    char *command = xmalloc(need);
    char *at = redis_command_count(command, (size_t)argc);
    for (int i = 0; i < argc; i++)
        at = redis_command_argument(at, (struct bytes){argv[i], lens ? lens[i] : strlen(argv[i])});
    *out_len = (size_t)(at - command);
    return command;
}
