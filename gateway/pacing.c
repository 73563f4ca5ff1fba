/* pacing.c -- see pacing.h. */
#include "pacing.h"

uint64_t pacing_wait_ns(struct pacing *pacing, uint64_t now_ns)
{
    if (!pacing->interval_ns)
        return 0;
    uint64_t oldest = pacing->turns[pacing->at % PACING_TURNS];
    uint64_t last = pacing->turns[(pacing->at + PACING_TURNS - 1) % PACING_TURNS];
    uint64_t since = now_ns - last, wait = 0;
    if (oldest && now_ns - oldest < PACING_TURNS * pacing->interval_ns && since < pacing->interval_ns)
        wait = pacing->interval_ns - since;
    pacing->turns[pacing->at++ % PACING_TURNS] = now_ns + wait;
    return wait;
}
