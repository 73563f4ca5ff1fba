/* accounting.c -- what was sent against what arrived: see accounting.h. */
#include "accounting.h"

#include <stdlib.h>

#include "../common/tool.h"
#include "stamp.h"

void accounting_init(struct accounting *accounting, int rooms, int publishers_per_room, bool echo)
{
    *accounting = (struct accounting){
        .rooms = rooms, .per_room = publishers_per_room, .publisher_count = rooms * publishers_per_room, .echo = echo};
    accounting->publishers = tool_calloc((size_t)accounting->publisher_count, sizeof *accounting->publishers);
}

void accounting_close(struct accounting *accounting)
{
    free(accounting->publishers);
}

void accounting_add_receiver(struct accounting *accounting, struct receiver *receiver, int room, int own, bool listens)
{
    *receiver = (struct receiver){.room = room, .own = own, .listens = listens};
    receiver->tracks = tool_calloc((size_t)accounting->per_room, sizeof *receiver->tracks);
}

void accounting_remove_receiver(struct receiver *receiver)
{
    free(receiver->tracks);
}

static bool must_hear(const struct accounting *accounting, const struct receiver *receiver, int publisher)
{
    return receiver->listens && (accounting->echo || receiver->own != publisher);
}

void accounting_expect(struct accounting *accounting, const struct receiver *receiver)
{
    for (int p = receiver->room; p < accounting->publisher_count; p += accounting->rooms)
        accounting->publishers[p].fan += must_hear(accounting, receiver, p);
}

uint64_t accounting_send(struct accounting *accounting, int publisher)
{
    struct sent_account *account = &accounting->publishers[publisher];

    accounting->sent++;
    accounting->expected += account->fan;
    accounting->measured_sent += accounting->measuring;
    return ++account->sent;
}

uint64_t accounting_unfinished(const struct accounting *accounting, int publisher)
{
    const struct sent_account *account = &accounting->publishers[publisher];
    uint64_t finished = account->fan ? account->delivered / account->fan : account->sent;

    return account->sent > finished ? account->sent - finished : 0;
}

void accounting_forgive(struct accounting *accounting)
{
    for (int p = 0; p < accounting->publisher_count; p++)
        accounting->publishers[p].delivered = accounting->publishers[p].sent * accounting->publishers[p].fan;
}

/* Marks the sequence as received. false: it had been before. */
static bool track(struct receiver *receiver, struct track *t, uint64_t sequence)
{
    if (sequence > t->last) {
        uint64_t step = sequence - t->last;
        receiver->missing += step - 1;
        t->seen = step > 63 ? 1 : t->seen << step | 1;
        t->last = sequence;
        return true;
    }
    uint64_t back = t->last - sequence;
    if (back > 63 || t->seen >> back & 1) {
        receiver->duplicated++;
        return false;
    }
    t->seen |= 1ull << back;
    receiver->reordered++;
    receiver->missing--;
    return true;
}

void accounting_deliver(struct accounting *accounting, struct receiver *receiver, const char *stamp, uint64_t now)
{
    struct stamp sent = stamp_read(stamp);

    if (sent.publisher >= (uint32_t)accounting->publisher_count ||
        (int)sent.publisher % accounting->rooms != receiver->room) {
        accounting->foreign++;
        return;
    }
    if (!track(receiver, &receiver->tracks[(int)sent.publisher / accounting->rooms], sent.sequence))
        return;
    accounting->delivered++;
    accounting->publishers[sent.publisher].delivered++;
    if (!accounting->measuring)
        return;
    accounting->measured_delivered++;
    histogram_add(&accounting->latency, now > sent.sent_ns ? now - sent.sent_ns : 0);
}

void accounting_sum(const struct accounting *accounting, const struct receiver *receiver, struct losses *sum)
{
    sum->duplicated += receiver->duplicated;
    sum->reordered += receiver->reordered;
    sum->lost += receiver->missing;
    for (int p = receiver->room; p < accounting->publisher_count; p += accounting->rooms)
        if (must_hear(accounting, receiver, p))
            sum->lost += accounting->publishers[p].sent - receiver->tracks[p / accounting->rooms].last;
}
