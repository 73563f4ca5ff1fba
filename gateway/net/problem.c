/* problem.c -- see problem.h. */
#include "problem.h"

#include "http.h"

void problem_write(struct json_text *text, int status, const char *code, const char *detail)
{
    json_literal(text, "{\"type\":\"about:blank\",\"title\":");
    json_string(text, bytes_of(http_phrase(status)));
    json_literal(text, ",\"status\":");
    json_uint(text, (uint64_t)status);
    if (code) {
        json_literal(text, ",\"code\":");
        json_string(text, bytes_of(code));
    }
    json_literal(text, ",\"detail\":");
    json_string(text, bytes_of(detail));
    json_literal(text, "}\n");
}
