/* plenum.pml -- the way of a message through the cluster, small enough to be tried in every order of events.
 *
 * One room, one Redis, two gateways of one worker each, two members (one at each gateway at first) that publish N
 * messages each and hear the other's. Everything may be cut, lost, late or restarted, as often as the configuration's
 * fault macros say, at any point. spin tries all of it and looks for a failed assertion or a state that is stuck.
 *
 * What is said by the model:
 *   - a member hears messages in offset order, without a hole (`hear`, `no_hole`), and none twice, unless it was told;
 *   - an ack or a notice never lets a member's position run ahead of what it was given (`no_hole` again, later);
 *   - when all is quiet, each member has every acked message of the other, or was told (`monitor`);
 *   - what may be lost is said only where it may be: STRICT makes `gap`, `recovered: false` and a lossy epoch errors;
 *   - no one is stuck: a state where nobody can move and that is not quiet is an invalid end state.
 *
 * What is abstracted away: see README.md beside this file. The main thing: a read or a join (pipelined commands on the
 * command connection) happens in one step, request to reply, since reading changes nothing that others see, and a lost
 * reply is as good as a read that did not happen. Appends do have a request, an execution and a reply, each lost alone.
 *
 * Marked by #ifdef are the wrong variants (ACK_FROM_REPLY and so on): spin must find their fault. */

#ifndef N
#define N 2 /* messages of each member */
#endif
#ifndef BATCH
#define BATCH 2 /* messages in one batch at most */
#endif
/* How often each fault may strike, over both gateways. */
#ifndef SUB_CUTS
#define SUB_CUTS 0 /* a subscriber connection: what it carried is lost; noticed some time later */
#endif
#ifndef DROPS
#define DROPS 0 /* a live message vanishes from a connection that stays: only arithmetic or the check sees it */
#endif
#ifndef CMD_CUTS
#define CMD_CUTS 0 /* a command connection: the request is lost, or arrives late (LATE), or its reply is lost */
#endif
#ifndef LATE
#define LATE 0 /* requests that outlive their connection and are executed at any later time */
#endif
#ifndef GIVE_UPS
#define GIVE_UPS 0 /* batches that nobody waits for any longer (2 s): `uncertain` to their publishers */
#endif
#ifndef CRASHES
#define CRASHES 0 /* a gateway is gone for good; its members come to the other one */
#endif
#ifndef CLIENT_CUTS
#define CLIENT_CUTS 0 /* a member's own connection; it comes back anywhere and resumes */
#endif
#ifndef RESTARTS
#define RESTARTS 0 /* of Redis, everything on disk */
#endif
#ifndef TAIL_LOSSES
#define TAIL_LOSSES 0 /* of Redis, back to what was last on disk */
#endif
#ifndef SYNCS
#define SYNCS 0 /* times that all gets to the disk; before the first, the disk has the empty room */
#endif
#ifndef FLUSHES
#define FLUSHES 0 /* FLUSHALL: connections and gen stay */
#endif
#ifndef LOG_SIZE
#define LOG_SIZE 99 /* entries that the log keeps */
#endif
#ifndef STEP
#define STEP 1 /* stands for 2^20: more than a lost tail can be long */
#endif
#ifndef SLOTS
#define SLOTS (2 * N + 1) /* offsets 0 .. SLOTS - 1 */
#endif

#define M (2 * N)
#define ALL ((1 << M) - 1)
#ifndef SAYS
#define SAYS ALL /* the messages that are published at all */
#endif
#ifndef KEYED
#define KEYED ALL /* those that have a key; one without is published once, whatever becomes of it */
#endif
#define BIT(x) (1 << (x))
#define OWN(m) (((1 << N) - 1) << ((m) * N)) /* messages are numbered through: member m's are m*N .. m*N+N-1 */
#define OTHER(m) (ALL & ~OWN(m))
#define MSG(v) (((v) & 15) - 1) /* of a slot: see there */
#define EPOCH(v) ((v) >> 4)

/* Events that must be reachable, or the search proves little: with -DPROBE=EVENT reaching it is the error. */
#define P_REPAIR 1  /* a gap seen by arithmetic was repaired from the log */
#define P_DUP 2     /* a client's retry was answered as a duplicate */
#define P_EPOCH 3   /* a live member was told of a new epoch */
#define P_GAP 4     /* a member was told of a gap */
#define P_REPEAT 5  /* a batch was sent again and got the remembered reply */
#define P_RESUME 6  /* a resumed member got a message by replay */
#define P_LATE 7    /* a late request was refused */
#define P_QUIET 8   /* all is said and done */
#define P_FALSE 9   /* a resume was answered `recovered: false` */
#define P_AHEAD 10  /* a resumed member knew more than its new gateway */
#define P_CHECK 11  /* the check found a lost last message */
#define P_LOST 12   /* an acked message was lost with the tail */
#define P_PREV 13   /* a resume from the epoch before was answered `recovered: true, lossy: "maybe"` */
#ifdef PROBE
#define probe(event) assert((event) != PROBE)
#else
#define probe(event) skip
#endif

/* ---- Redis: meta, log, batch memory. The keys of clients are found in `slot`: they do not expire here. */

byte slot[SLOTS]; /* by offset: epoch * 16 + message + 1; 0: never given, or lost. Trimmed ones stay, for proof */
byte seq, low = 1; /* the log is what lies in slot[low .. seq] */
byte epoch = 1, gen = 1, base, prev, prevtop;
byte b_num[2], b_epoch[2], b_gen[2], b_dup[2]; /* b:<gw>: the last batch, and its reply */

byte replid = 1;  /* what INFO says: new after each restart */
byte epochs = 1;  /* names given to epochs so far: a fresh one is random, so never given twice */

/* What is on the disk. */
byte d_seq, d_low = 1, d_epoch = 1, d_gen = 1, d_base, d_prev, d_prevtop;
byte d_num[2], d_be[2], d_bg[2], d_bd[2];

/* ---- a gateway */

/* The room: down with its gateway, SUBSCRIBE sent, confirmed and to be read, live (two more are for wrong variants). */
mtype = { DOWN, SENT, READ_TOO_EARLY, READ_META, READ, LIVE };
mtype = { NONE, ASKED, ANSWERED, LOST };            /* the batch in flight */

bool up[2] = true;
mtype room[2] = LIVE;
byte re[2] = 1, rp[2]; /* the room's position: epoch and offset */
chan sub[2] = [2 * N + 4] of { byte, byte }; /* what the subscriber connection brings: offset, slot; 0, 0: confirmed */
byte sc[2] = 2;        /* that connection: 0 dead, 1 connected, 2 subscribed */
#ifdef META_READ_LAST
byte top[2]; /* the entries ended here when they were read */
#define entries(g) top[g]
#else
#define entries(g) seq
#endif
bool cc[2] = true;     /* the command connection is there */
byte hint[2] = 1;      /* gen, as INFO told on the command connection */
byte queue[2], batch[2], num[2];
mtype rq[2] = NONE;
byte late_set[2], late_num[2], late_gen[2]; /* a request that outlived its connection */

/* ---- a member: the client's side (position) and the gateway's (where, state) */

mtype = { OUT, CATCHING };
#define NOWHERE 2
byte at[2];
mtype member[2] = LIVE; /* or OUT, CATCHING */
byte ce[2] = 1, co[2];  /* the client's position: what it resumes from */

byte pend;  /* messages whose publisher waits for an answer from the gateway that it is at */
byte acked;
byte gone;  /* without a key, and without an answer: nobody will say them again */

/* ---- the monitor's own */

byte got[2];
byte told[2]; /* messages whose loss was said to that member */
byte lost;    /* messages that were lost with a tail */

unsigned sub_cuts : 2, drops : 2, cmd_cuts : 2, lates : 2, give_ups : 2, crashes : 2, client_cuts : 2, restarts : 2,
    tail_losses : 2, syncs : 2, flushes : 2;

/* Not state: temporaries of one step. */
hidden byte i_, k_, m_, s_, x_, v_, t_, h_, n_, known_;
hidden byte set_;

/* ---- what members are told */

/* Between the client's position and s lies nothing but own messages, and offsets that were never given. (After a
 * FLUSHALL `slot` no longer knows what lay there: got and acked are left to tell.) */
inline no_hole(m, s) {
    t_ = co[m] + 1;
    do
    :: t_ < s -> assert(slot[t_] == 0 || MSG(slot[t_]) / N == m || flushes > 0); t_++
    :: else -> break
    od
}

/* The publishers of these get no ack from here: `uncertain`, or nobody is there any more. */
inline no_ack(set) {
    gone = gone | (pend & (set) & ~KEYED);
    pend = pend & ~(set)
}

/* An answer at last. The client's position never goes back by it. */
inline ack(m, x, s) {
    pend = pend & ~BIT(x);
    acked = acked | BIT(x);
    if
    :: s > co[m] -> co[m] = s
    :: else
    fi
}

/* Message v, at offset s, stands next in the stream of member m: a message frame, or the ack where it is an own one. */
inline hear(m, s, v) {
    x_ = MSG(v);
    if
    :: x_ / N == m ->
        if
        :: (pend & BIT(x_)) && at[m] != NOWHERE -> no_hole(m, s); ack(m, x_, s)
        :: else
        fi
    :: else ->
        assert(s > co[m]); /* in order */
        no_hole(m, s);
        assert(!(got[m] & BIT(x_))); /* once */
        got[m] = got[m] | BIT(x_);
        co[m] = s
    fi
}

inline tell_gap(m, s) {
    probe(P_GAP);
#ifdef STRICT
    assert(false);
#endif
    no_hole(m, s);
    told[m] = told[m] | BIT(MSG(slot[s]));
    if
    :: s > co[m] -> co[m] = s
    :: else
    fi
}

/* All that lies at or below offset s, and all that went with a tail: "lost" was said. */
inline tell_lossy(m, s) {
    told[m] = told[m] | lost;
    t_ = 1;
    do
    :: t_ <= s ->
        if
        :: slot[t_] != 0 -> told[m] = told[m] | BIT(MSG(slot[t_]))
        :: else
        fi;
        t_++
    :: else -> break
    od;
    got[m] = got[m] & ~lost; /* what went with the tail may be published again, and come again */
    ce[m] = epoch;
    co[m] = s
}

/* `lossy: "maybe"`: only what went with a tail is excused; what the log still has must come. */
inline tell_maybe(m) {
    told[m] = told[m] | lost;
    got[m] = got[m] & ~lost;
    ce[m] = epoch
}

/* From the log: offsets first .. last into the stream of member m. */
inline replay(m, first, last) {
    k_ = first;
    do
    :: k_ <= last ->
        if
        :: slot[k_] == 0
        :: slot[k_] != 0 && k_ < low -> tell_gap(m, k_)
        :: slot[k_] != 0 && k_ >= low -> hear(m, k_, slot[k_])
        fi;
        k_++
    :: else -> break
    od
}

/* ---- the scripts */

inline renew(above) {
    prev = epoch;
    prevtop = seq;
    base = above + STEP;
    seq = base;
    assert(seq < SLOTS);
    epochs++;
    epoch = epochs;
    gen = replid
}

/* find(x): s_ = the offset that message x has in the log's history, 0: none. This is the hash of idempotency keys. */
inline find(x) {
    s_ = seq;
    do
    :: s_ > 0 && (slot[s_] == 0 || MSG(slot[s_]) != x) -> s_--
    :: else -> break
    od
}

inline publish(s) {
    h_ = 0;
    do
    :: h_ < 2 ->
        if
        :: sc[h_] == 2 -> sub[h_]!s, slot[s]
        :: else
        fi;
        h_++
    :: else -> break
    od
}

/* append.lua: g's batch number n of the messages in set, with g's gen. */
inline append(g, n, set, itsgen) {
    if
    :: n == b_num[g] -> probe(P_REPEAT) /* the remembered reply */
#ifndef EQUAL_NUMBERS_ONLY
    :: n < b_num[g] -> probe(P_LATE) /* older than what was answered since: it may do nothing any more */
    :: n > b_num[g] ->
#else
    :: n != b_num[g] ->
#endif
        if
        :: gen != itsgen && epoch == 0 -> epochs++; epoch = epochs; gen = replid; base = 0
        :: gen != itsgen && epoch != 0 && gen != replid -> renew(seq)
        :: else
        fi;
        b_dup[g] = 0;
        i_ = 0;
        do
        :: i_ < M ->
            if
            :: (set) & BIT(i_) ->
                find(i_);
                if
                :: s_ != 0 && (KEYED & BIT(i_)) -> b_dup[g] = b_dup[g] | BIT(i_); probe(P_DUP)
                :: else ->
                    seq++;
                    assert(seq < SLOTS);
                    slot[seq] = (epoch << 4) + i_ + 1;
                    publish(seq)
                fi
            :: else
            fi;
            i_++
        :: else -> break
        od;
        b_num[g] = n;
        b_epoch[g] = epoch;
        b_gen[g] = gen;
        trim()
    fi
}

/* MAXLEN counts entries, not offsets. */
inline trim() {
#if LOG_SIZE < 99
    n_ = 0;
    k_ = seq;
    do
    :: k_ > 0 && n_ < LOG_SIZE ->
        if
        :: slot[k_] != 0 -> n_++; low = k_
        :: else
        fi;
        k_--
    :: else -> break
    od
#else
    skip
#endif
}

/* presence.lua's fence: with every join, and (with no change of presence) with every read of a room. */
inline fence(g, position) {
    if
    :: epoch == 0 || (gen != hint[g] && gen != replid) || position > seq ->
        known_ = (position > seq -> position : seq);
        if
        :: epoch != 0 || known_ > 0 -> renew(known_)
        :: else -> epochs++; epoch = epochs; gen = replid; base = seq
        fi
    :: else
    fi
}

/* ---- a gateway's room */

/* The log is read above the room's position, and the room is live: each member here is told what it missed. */
inline read_room(g) {
#ifndef READ_WITHOUT_FENCE
    fence(g, rp[g]);
#endif
    m_ = 0;
    do
    :: m_ < 2 ->
        if
        :: at[m_] == g && member[m_] == LIVE && re[g] == epoch && rp[g] <= seq ->
            replay(m_, rp[g] + 1, entries(g))
        :: at[m_] == g && member[m_] == LIVE && re[g] != epoch && re[g] == prev && rp[g] <= prevtop ->
            probe(P_EPOCH);
            replay(m_, rp[g] + 1, prevtop);
            no_hole(m_, prevtop + 1);
            tell_maybe(m_);
            co[m_] = base;
            replay(m_, base + 1, seq)
        :: at[m_] == g && member[m_] == LIVE && re[g] != epoch && !(re[g] == prev && rp[g] <= prevtop) ->
            probe(P_EPOCH);
#ifdef STRICT
            assert(false);
#endif
            tell_lossy(m_, base);
            replay(m_, base + 1, seq)
        /* One that catches up has its own position; the notice does not wait for the replay. */
        :: at[m_] == g && member[m_] == CATCHING && ce[m_] != epoch && ce[m_] == prev && co[m_] <= prevtop ->
            tell_maybe(m_)
        :: at[m_] == g && member[m_] == CATCHING && ce[m_] != epoch && !(ce[m_] == prev && co[m_] <= prevtop) ->
#ifdef STRICT
            assert(false);
#endif
            tell_lossy(m_, base)
        :: else
        fi;
        /* A reply came, and the log above does not have the message: lost with a tail, or trimmed. `uncertain`. */
        if
        :: at[m_] == g && member[m_] == LIVE -> no_ack(OWN(m_) & ~queue[g] & ~batch[g])
        :: else
        fi;
        m_++
    :: else -> break
    od;
    re[g] = epoch;
    rp[g] = seq;
    room[g] = LIVE
}

/* A live message comes off the subscriber connection. */
inline live_message(g) {
    sub[g]?s_, x_;
#ifdef DROP_BY_OFFSET_ALONE
    if
    :: s_ <= rp[g]
    :: s_ > rp[g] && EPOCH(x_) == re[g] && s_ == rp[g] + 1 -> n_ = s_; v_ = x_; pass(g, n_, v_)
    :: s_ > rp[g] && !(EPOCH(x_) == re[g] && s_ == rp[g] + 1) -> room[g] = READ
    fi
#else
    if
    :: EPOCH(x_) == re[g] && s_ <= rp[g]
    :: EPOCH(x_) == re[g] && s_ == rp[g] + 1 -> n_ = s_; v_ = x_; pass(g, n_, v_)
    :: EPOCH(x_) == re[g] && s_ > rp[g] + 1 -> probe(P_REPAIR); room[g] = READ
    :: EPOCH(x_) != re[g] -> room[g] = READ /* another epoch: only the log and meta know what lies between */
    fi
#endif
}

/* To each live member here. */
inline pass(g, s, v) {
    rp[g] = s;
    m_ = 0;
    do
    :: m_ < 2 ->
        if
        :: at[m_] == g && member[m_] == LIVE -> hear(m_, s, v)
        :: else
        fi;
        m_++
    :: else -> break
    od
}

/* The reply to the batch in flight. It frees the way for the next batch. It gives an ack only where the member's own
 * stream is past that offset already (a duplicate's, as a rule): all other acks come with the own copy. */
inline take_reply(g) {
    i_ = 0;
    do
    :: i_ < M ->
        if
        :: (batch[g] & pend & BIT(i_)) && at[i_ / N] == g ->
            m_ = i_ / N;
            find(i_);
            if
#ifdef ACK_FROM_REPLY
            :: s_ != 0 -> ack(m_, i_, s_)
#endif
#ifdef DUPLICATE_ACKED_AT_ONCE
            :: s_ != 0 && (b_dup[g] & BIT(i_)) -> ack(m_, i_, s_)
#endif
            :: s_ != 0 && member[m_] == LIVE && b_epoch[g] == re[g] && s_ <= rp[g] -> ack(m_, i_, s_)
            :: s_ != 0 && member[m_] == CATCHING && b_epoch[g] == ce[m_] && s_ <= co[m_] -> ack(m_, i_, s_)
            :: else
            fi
        :: else
        fi;
        i_++
    :: else -> break
    od;
#ifdef GEN_FROM_ANY_REPLY
    hint[g] = b_gen[g]; /* a remembered reply has the gen of its time */
#endif
    batch[g] = 0;
    rq[g] = NONE
}

inline next_batch(g) {
    i_ = 0;
    n_ = 0;
    do
    :: i_ < M ->
        if
        :: (queue[g] & BIT(i_)) && n_ < BATCH -> n_++; batch[g] = batch[g] | BIT(i_)
        :: else
        fi;
        i_++
    :: else -> break
    od;
    queue[g] = queue[g] & ~batch[g];
    num[g]++;
    rq[g] = ASKED
}

/* What member m waits for, and no batch has any more: its own copy is under way, or was lost. */
#define awaits_copy(g, m) (at[m] == g && member[m] == LIVE && (pend & OWN(m) & ~queue[g] & ~batch[g]))

/* What the members at g publish. */
#define said_at(g) ((at[0] == g) * OWN(0) | (at[1] == g) * OWN(1))

proctype gateway(byte g) {
    do
    /* the command connection, and batches */
    :: d_step { up[g] && !cc[g] ->
        cc[g] = true;
#ifndef STALE_GEN
        hint[g] = replid
#endif
       }
    :: d_step { up[g] && cc[g] && rq[g] == NONE && queue[g] -> next_batch(g) }
    :: d_step { up[g] && cc[g] && rq[g] == LOST ->
#ifdef FRESH_BATCH_NUMBER
        num[g]++;
#endif
        rq[g] = ASKED
       }
    :: d_step { up[g] && rq[g] == ANSWERED -> take_reply(g) }

    /* the subscriber connection, and the room */
    :: d_step { up[g] && sc[g] == 0 -> sc[g] = 1; room[g] = SENT } /* an error, or the probe had no answer: a new one */
#ifdef READ_BEFORE_CONFIRMED
    :: d_step { up[g] && cc[g] && room[g] == SENT -> read_room(g); room[g] = READ_TOO_EARLY }
    :: d_step { up[g] && room[g] == READ_TOO_EARLY && nempty(sub[g]) -> sub[g]?s_, x_; room[g] = LIVE }
#else
#ifdef NO_CATCH_UP
    :: d_step { up[g] && room[g] == SENT && nempty(sub[g]) -> sub[g]?s_, x_; room[g] = LIVE }
#else
    :: d_step { up[g] && room[g] == SENT && nempty(sub[g]) -> sub[g]?s_, x_; room[g] = READ }
#endif
#endif
#ifdef META_READ_LAST
    :: d_step { up[g] && cc[g] && room[g] == READ -> top[g] = seq; room[g] = READ_META }
    :: d_step { up[g] && cc[g] && room[g] == READ_META -> read_room(g) }
#else
    :: d_step { up[g] && cc[g] && room[g] == READ -> read_room(g) }
#endif
    :: d_step { up[g] && room[g] == LIVE && nempty(sub[g]) -> live_message(g) }
    /* A reply came, and the own copy does not: the bus is deaf. */
    :: d_step { up[g] && room[g] == LIVE && empty(sub[g]) && (awaits_copy(g, 0) || awaits_copy(g, 1)) ->
        room[g] = READ
       }
#ifdef CHECK
    /* Every 10 s: does the room stand where meta says? */
    :: d_step { up[g] && cc[g] && room[g] == LIVE && empty(sub[g]) && (re[g] != epoch || rp[g] != seq) ->
        probe(P_CHECK);
        room[g] = READ
       }
#endif
    od
}

/* ---- Redis takes what lies on its connections */

inline forget(g) {
    late_set[g] = 0;
    late_num[g] = 0;
    late_gen[g] = 0
}

/* All is on the disk now. When it is does not matter to anybody but right after an append. */
inline sync_all() {
    d_seq = seq; d_low = low; d_epoch = epoch; d_gen = gen; d_base = base; d_prev = prev; d_prevtop = prevtop;
    d_num[0] = b_num[0]; d_be[0] = b_epoch[0]; d_bg[0] = b_gen[0]; d_bd[0] = b_dup[0];
    d_num[1] = b_num[1]; d_be[1] = b_epoch[1]; d_bg[1] = b_gen[1]; d_bd[1] = b_dup[1];
    syncs++
}

proctype redis() {
    do
    :: d_step { rq[0] == ASKED -> append(0, num[0], batch[0], hint[0]); rq[0] = ANSWERED }
    :: d_step { rq[1] == ASKED -> append(1, num[1], batch[1], hint[1]); rq[1] = ANSWERED }
#if SYNCS > 0
    :: d_step { rq[0] == ASKED && syncs < SYNCS -> append(0, num[0], batch[0], hint[0]); rq[0] = ANSWERED; sync_all() }
    :: d_step { rq[1] == ASKED && syncs < SYNCS -> append(1, num[1], batch[1], hint[1]); rq[1] = ANSWERED; sync_all() }
#endif
    :: d_step { sc[0] == 1 -> sc[0] = 2; sub[0]!0, 0 }
    :: d_step { sc[1] == 1 -> sc[1] = 2; sub[1]!0, 0 }
#if LATE > 0
    :: d_step { late_set[0] -> append(0, late_num[0], late_set[0], late_gen[0]); forget(0) }
    :: d_step { late_set[1] -> append(1, late_num[1], late_set[1], late_gen[1]); forget(1) }
    :: d_step { late_set[0] -> forget(0) }
    :: d_step { late_set[1] -> forget(1) }
#endif
    od
}

/* ---- a client */

/* resume{epoch, offset} at gateway g. */
inline join(m, g) {
    fence(g, rp[g]);
    if
    :: epoch != re[g] -> room[g] = READ /* the room learns of the new epoch first; the join waits */
    :: epoch == re[g] && ce[m] == epoch && co[m] <= seq -> enter(m, g)
    :: epoch == re[g] && ce[m] != epoch && ce[m] == prev && co[m] <= prevtop ->
        probe(P_PREV);
        tell_maybe(m);
        enter(m, g)
    :: else -> /* recovered: false */
        probe(P_FALSE);
#ifdef STRICT
        assert(false);
#endif
        tell_lossy(m, seq);
        enter(m, g)
    fi
}

inline enter(m, g) {
    at[m] = g;
    member[m] = CATCHING;
#ifdef JOINED_MOVES_POSITION
    co[m] = seq
#endif
}

/* Catches up, and goes live on meeting the room. One that knows more than the room waits for it. */
inline meet(m, g) {
    if
#ifndef REPLAY_WITHOUT_META
    :: re[g] != epoch || rp[g] > seq -> room[g] = READ /* this is not the log that the room knows */
    :: re[g] == epoch && rp[g] <= seq ->
#else
    :: true ->
#endif
        n_ = co[m];
        set_ = got[m];
        replay(m, n_ + 1, rp[g]);
        if
        :: got[m] != set_ -> probe(P_RESUME)
        :: else
        fi;
        member[m] = LIVE
    fi
}

/* The next one to publish: in order; an unanswered one is not repeated, one that got `uncertain` or lost its connection
 * is, with its key. */
inline say(m) {
    x_ = m * N;
    do
    :: !(SAYS & ~acked & ~pend & ~gone & BIT(x_)) -> x_++
    :: else -> break
    od;
    pend = pend | BIT(x_);
    queue[at[m]] = queue[at[m]] | BIT(x_)
}

#define waits_at(m, g) (member[m] == CATCHING && room[g] == LIVE && re[g] == ce[m])
#ifdef LIVE_BEFORE_MEETING
#define not_ahead(m, g) true
#else
#define not_ahead(m, g) (rp[g] >= co[m])
#endif

proctype client(byte m) {
    do
    :: d_step { member[m] != OUT && (OWN(m) & SAYS & ~acked & ~pend & ~gone) -> say(m) }
    :: d_step { member[m] == OUT && up[0] && cc[0] && room[0] == LIVE -> join(m, 0) }
    :: d_step { member[m] == OUT && up[1] && cc[1] && room[1] == LIVE -> join(m, 1) }
    :: d_step { waits_at(m, at[m]) && cc[at[m]] && not_ahead(m, at[m]) -> meet(m, at[m]) }
#ifdef PROBE
    :: d_step { waits_at(m, at[m]) && rp[at[m]] < co[m] -> probe(P_AHEAD) }
#endif
    od
}

/* ---- what goes wrong */

inline drain(g) {
    do
    :: nempty(sub[g]) -> sub[g]?s_, x_
    :: empty(sub[g]) -> break
    od;
    s_ = 0
}

inline leave(m) {
    at[m] = NOWHERE;
    member[m] = OUT;
    no_ack(OWN(m))
}

inline outlive(g) {
    lates++;
    late_set[g] = batch[g];
    late_num[g] = num[g];
    late_gen[g] = hint[g]
}

inline crash(g) {
    crashes++;
    up[g] = false;
    sc[g] = 0;
    cc[g] = false;
    drain(g);
    queue[g] = 0;
    batch[g] = 0;
    rq[g] = NONE;
    room[g] = DOWN;
    if
    :: at[0] == g -> leave(0)
    :: else
    fi;
    if
    :: at[1] == g -> leave(1)
    :: else
    fi
}

inline cut_everything() {
    h_ = 0;
    do
    :: h_ < 2 ->
        sc[h_] = 0;
        cc[h_] = false;
        drain(h_);
        rq[h_] = (rq[h_] == NONE -> NONE : LOST);
        forget(h_);
        h_++
    :: else -> break
    od;
    h_ = 0
}

/* Empties the log above offset s; what was there is lost. */
inline cut_tail(s) {
    k_ = SLOTS - 1;
    do
    :: k_ > s ->
        if
        :: slot[k_] != 0 ->
            lost = lost | BIT(MSG(slot[k_]));
            if
            :: acked & BIT(MSG(slot[k_])) -> probe(P_LOST)
            :: else
            fi;
            slot[k_] = 0
        :: else
        fi;
        k_--
    :: else -> break
    od
}

inline load_disk() {
    cut_tail(d_seq);
    seq = d_seq; low = d_low; epoch = d_epoch; gen = d_gen; base = d_base; prev = d_prev; prevtop = d_prevtop;
    b_num[0] = d_num[0]; b_epoch[0] = d_be[0]; b_gen[0] = d_bg[0]; b_dup[0] = d_bd[0];
    b_num[1] = d_num[1]; b_epoch[1] = d_be[1]; b_gen[1] = d_bg[1]; b_dup[1] = d_bd[1];
    if
    :: tail_losses == TAIL_LOSSES -> forget_disk() /* no more use for it: fewer states */
    :: else
    fi
}

inline forget_disk() {
    syncs = SYNCS;
    d_seq = 0; d_low = 0; d_epoch = 0; d_gen = 0; d_base = 0; d_prev = 0; d_prevtop = 0;
    d_num[0] = 0; d_be[0] = 0; d_bg[0] = 0; d_bd[0] = 0;
    d_num[1] = 0; d_be[1] = 0; d_bg[1] = 0; d_bd[1] = 0
}

inline flush_all() {
    cut_tail(0);
    seq = 0; low = 1; epoch = 0; gen = 0; base = 0; prev = 0; prevtop = 0;
    b_num[0] = 0; b_epoch[0] = 0; b_gen[0] = 0; b_dup[0] = 0;
    b_num[1] = 0; b_epoch[1] = 0; b_gen[1] = 0; b_dup[1] = 0
}

/* What strikes gateway g (or member g); what strikes Redis is in the one that is called with 0. */
proctype faults(byte g) {
    do
    :: false
#if SUB_CUTS > 0
    :: d_step { up[g] && sub_cuts < SUB_CUTS && sc[g] != 0 -> sub_cuts++; sc[g] = 0; drain(g) }
#endif
#if DROPS > 0
    :: d_step { up[g] && drops < DROPS && sc[g] == 2 && room[g] != SENT && nempty(sub[g]) -> drops++; sub[g]?s_, x_ }
#endif
#if CMD_CUTS > 0
    :: d_step { up[g] && cmd_cuts < CMD_CUTS && cc[g] ->
        cmd_cuts++;
        cc[g] = false;
        rq[g] = (rq[g] == NONE -> NONE : LOST)
       }
#if LATE > 0
    :: d_step { up[g] && cmd_cuts < CMD_CUTS && lates < LATE && cc[g] && rq[g] == ASKED && !late_set[g] ->
        cmd_cuts++;
        cc[g] = false;
        rq[g] = LOST;
        outlive(g)
       }
#endif
#endif
#if GIVE_UPS > 0
    :: d_step { up[g] && give_ups < GIVE_UPS && rq[g] != NONE && !late_set[g] ->
        give_ups++;
        if
        :: rq[g] == ASKED -> outlive(g)
        :: else
        fi;
        no_ack(batch[g] & said_at(g));
        batch[g] = 0;
        rq[g] = NONE
       }
#endif
#if CRASHES > 0
    :: d_step { up[g] && up[1 - g] && crashes < CRASHES -> crash(g) }
#if LATE > 0
    :: d_step { up[g] && up[1 - g] && crashes < CRASHES && lates < LATE && rq[g] == ASKED && !late_set[g] ->
        outlive(g);
        crash(g)
       }
#endif
#endif
#if CLIENT_CUTS > 0
    :: d_step { client_cuts < CLIENT_CUTS && member[g] != OUT -> client_cuts++; leave(g) }
#endif
#if RESTARTS > 0
    :: d_step { g == 0 && restarts < RESTARTS -> restarts++; replid++; cut_everything() }
#endif
#if TAIL_LOSSES > 0
    :: d_step { g == 0 && tail_losses < TAIL_LOSSES -> tail_losses++; replid++; cut_everything(); load_disk() }
#endif
#if FLUSHES > 0
    /* A reply under way is taken before: the order of the two makes no difference to anybody. */
    :: d_step { g == 0 && flushes < FLUSHES && rq[0] != ANSWERED && rq[1] != ANSWERED -> flushes++; flush_all() }
#endif
    od
}

#define at_rest(g) \
    (!up[g] || (cc[g] && rq[g] == NONE && !queue[g] && room[g] == LIVE && sc[g] == 2 && empty(sub[g])))
#define up_to_date(g) \
    (!up[g] || (re[g] == epoch && rp[g] == seq) || (re[g] == prev && rp[g] == prevtop && seq == base))

#ifdef CHECK
#define checked (up_to_date(0) && up_to_date(1))
#else
#define checked true
#endif

/* Its loop is what makes a quiet state no end state. */
proctype monitor() {
    do
    :: d_step {
        at_rest(0) && at_rest(1) && member[0] == LIVE && member[1] == LIVE && (acked | gone) == SAYS && checked ->
        probe(P_QUIET);
        assert((acked & OTHER(0) & ~got[0] & ~told[0]) == 0);
        assert((acked & OTHER(1) & ~got[1] & ~told[1]) == 0);
#if FLUSHES == 0
        assert(up_to_date(0) && up_to_date(1))
#endif
       }
    od
}

init {
    atomic {
        at[0] = 0;
        at[1] = 1;
        run gateway(0);
        run gateway(1);
        run redis();
        run client(0);
        run client(1);
        run faults(0);
        run faults(1);
        run monitor()
    }
}
