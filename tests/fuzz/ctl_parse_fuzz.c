/* ctl_parse_fuzz.c -- any bytes as an admin's line: it is refused in one line of words, or it is a command that is
 * whole, and that reads the same when it is written again. */
#include <stdint.h>
#include <stdlib.h>

#include "../../common/utf8.h"
#include "../../gateway/admin/ctl_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ctl_command command, again;
    const char *wrong = ctl_parse((struct bytes){(const char *)data, size}, &command);
    if (wrong) {
        require(*wrong && !strchr(wrong, '\n'));
        return 0;
    }
    require(command.room_len == 0 || room_name_valid(ctl_room(&command)));
    require(command.user_len <= CTL_USER_MAX && utf8_valid(ctl_user(&command)));
    require(!ctl_check(&command));
    char *line = malloc(CTL_LINE_MAX);
    size_t len = ctl_write(&command, line);
    require(len < CTL_LINE_MAX && !ctl_parse((struct bytes){line, len}, &again));
    free(line);
    require(command.verb == again.verb && command.member == again.member && command.seconds == again.seconds);
    require(bytes_equal(ctl_room(&command), ctl_room(&again)) && bytes_equal(ctl_user(&command), ctl_user(&again)));
    return 0;
}
