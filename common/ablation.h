/* ablation.h -- faults that can be put in, so that a test can show that it would find them.
 *
 * In the gateway that is served this is the constant false, and the compiler drops what hangs on it. The program
 * plenum_ablated, which only the tests build and run, is made with PLENUM_ABLATIONS and looks at the environment. */
#ifndef PLENUM_COMMON_ABLATION_H
#define PLENUM_COMMON_ABLATION_H

#include <stdbool.h>

#ifdef PLENUM_ABLATIONS

#include <stdlib.h>
#include <string.h>

static inline bool ablated(const char *what)
{
    const char *wanted = getenv("PLENUM_ABLATE");
    return wanted && strcmp(wanted, what) == 0;
}

#else

static inline bool ablated(const char *what)
{
    (void)what;
    return false;
}

#endif
#endif
