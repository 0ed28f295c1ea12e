/* Epochs of an idempotent producer: when one is used up, who learns of it, and that no
 * batch ever goes out with a mixture.
 *
 * covers: P08 P10 P48 */
#include <string.h>

#include "client/producer.h"
#include "tests/client/make_bed.h"

static const char *const small[] = {"linger.ms=0", "batch.size=1000", NULL};

/* Each (id, epoch) of a partition begins with sequence 0 and goes on without a hole and
 * without a step back but for resends, which are the same bytes; epochs only grow. */
static void check_sequences(int32_t n_partitions)
{
    for (int32_t p = 0; p < n_partitions; p++) {
        const struct make_sight *last = NULL;
        for (uint32_t i = 0; i < mbed.n_sights; i++) {
            const struct make_sight *sight = &mbed.sights[i];
            bool is_resend = false;
            if (sight->partition != p)
                continue;
            cr_assert_geq(sight->producer_id, 0);
            for (uint32_t k = 0; k < i && !is_resend; k++) {
                const struct make_sight *other = &mbed.sights[k];
                is_resend = other->partition == p && other->producer_id == sight->producer_id &&
                            other->epoch == sight->epoch && other->sequence == sight->sequence;
                if (is_resend)
                    cr_assert_eq(other->hash, sight->hash, "batch %u is another one now", i);
            }
            if (is_resend)
                continue;
            if (last && last->producer_id == sight->producer_id && last->epoch == sight->epoch)
                cr_assert_eq(sight->sequence, last->sequence + last->n_records, "batch %u", i);
            else
                cr_assert_eq(sight->sequence, 0, "batch %u begins at %d", i, sight->sequence);
            if (last && last->producer_id == sight->producer_id)
                cr_assert_geq(sight->epoch, last->epoch, "batch %u goes back", i);
            last = sight;
        }
    }
}

/* ---- P08 -------------------------------------------------------------------------------- */

/* Retention removed all that the producer had written, and the broker forgot it. What is
 * under way was refused: it goes again under the next epoch, each record once. */
Test(producer_epochs, a_broker_that_forgot_the_producer_gets_a_new_epoch_and_loses_nothing)
{
    make_start(1, 1, small);
    cr_assert_eq(kwi_mock_set_topic_config(mbed.pair.mock, "t", "retention.bytes", "1"), 0);
    make(0, 10);
    make_settle();
    make_fault("produce:1-5:error=59"); /* UNKNOWN_PRODUCER_ID, five are under way */
    mbed.pair.hold_answers = true;
    for (int i = 0; i < 35; i++)
        make(0, 130);
    for (int i = 0; i < 5; i++)
        sim_pair_step(&mbed.pair, 10000);
    cr_assert_eq(mbed.n_requests, 6, "five are under way, not %u", mbed.n_requests - 1);
    mbed.pair.hold_answers = false;
    make_settle();
    cr_assert_eq(mbed.n_of[KW_DELIVERED], mbed.n_made);
    make_check_order(1);
    check_sequences(1);
    cr_assert_eq(mbed.sights[mbed.n_sights - 1].producer_id, mbed.sights[0].producer_id);
    cr_assert_gt(mbed.sights[mbed.n_sights - 1].epoch, mbed.sights[0].epoch);
    make_stop();
}

/* It may have been written before the broker forgot: nobody can know. */
Test(producer_epochs, what_may_be_written_is_unknown_when_the_broker_forgot_the_producer)
{
    make_start(1, 1, small);
    make(0, 10);
    make_settle();
    make_fault("produce:1:drop-answer");
    make_fault("produce:2:error=59");
    make(0, 100);
    make_settle();
    cr_assert_eq(mbed.fates[1].outcome, KW_UNKNOWN);
    cr_assert_eq(mbed.fates[1].code, KW_ERR_BROKER);
    cr_assert_eq(mbed.fates[1].kafka_code, 59);
    cr_assert_eq(make_log_end(0), 2, "it was, and is not there twice");
    make(0, 100);
    make_settle();
    cr_assert_eq(mbed.fates[2].outcome, KW_DELIVERED);
    cr_assert_eq(mbed.fates[2].offset, 2);
    check_sequences(1);
    make_stop();
}

/* ---- P10 -------------------------------------------------------------------------------- */

/* Partition 0 is under way at a slow broker when partition 1 uses the epoch up; partition
 * 2 has nothing under way. */
Test(producer_epochs, a_bump_awaits_what_is_under_way_and_reaches_idle_partitions)
{
    make_start(2, 4, small);
    for (int32_t p = 0; p < 4; p++)
        make(p, 10);
    make_settle();
    make_fault("produce:1-2:delay=500:partition=0");
    make_fault("produce:1:error=45:partition=1");
    uint32_t from = mbed.n_sights;
    int16_t epoch = mbed.sights[0].epoch;
    for (int i = 0; i < 14; i++) /* two batches */
        make(0, 130);
    sim_pair_step(&mbed.pair, 10000);
    make(1, 10);
    for (int i = 0; i < 20; i++)
        sim_pair_step(&mbed.pair, 10000);
    cr_assert_eq(mbed.fates[4 + 14].outcome, KW_DELIVERED, "partition 1 goes on meanwhile");
    cr_assert_eq(mbed.n_told, 5, "and partition 0 has not been answered");
    make(0, 100); /* behind those under way */
    make(2, 100);
    make_settle();
    cr_assert_eq(mbed.n_of[KW_DELIVERED], mbed.n_made);
    make_check_order(4);
    check_sequences(4);
    uint32_t n_old = 0;
    for (uint32_t i = from; i < mbed.n_sights; i++) {
        const struct make_sight *sight = &mbed.sights[i];
        if (sight->partition == 0 && sight->epoch == epoch)
            n_old++;
        if (sight->partition == 2) {
            cr_assert_eq(sight->epoch, epoch + 1, "an idle partition keeps the old epoch");
            cr_assert_eq(sight->sequence, 0);
        }
    }
    cr_assert_geq(n_old, 2, "what was under way stays under its epoch: %u", n_old);
    cr_assert_eq(mbed.sights[mbed.n_sights - 1].epoch, epoch + 1);
    make_stop();
}

/* Those under way fail after the bump, so that they are sent again under the old epoch,
 * byte for byte, before anything of the new one. */
Test(producer_epochs, what_fails_behind_a_bump_is_sent_again_as_it_was)
{
    make_start(2, 2, small);
    make(0, 10);
    make(1, 10);
    make_settle();
    make_fault("produce:1:drop-answer:partition=0"); /* written; the timeout comes after 1 s */
    make_fault("produce:1:error=45:partition=1");
    make(0, 100);
    make(1, 100);
    for (int i = 0; i < 10; i++)
        sim_pair_step(&mbed.pair, 10000);
    cr_assert_eq(mbed.fates[3].outcome, KW_DELIVERED);
    make(0, 100);
    make_settle();
    cr_assert_eq(mbed.n_of[KW_DELIVERED], mbed.n_made);
    make_check_order(2);
    check_sequences(2);
    make_stop();
}

/* ---- P48 -------------------------------------------------------------------------------- */

/* Errors of every kind that ends an epoch, while requests carry several partitions: the
 * epoch changes between the stamps of one request, and when epochs are used up the id
 * changes, too. What a batch carries is always one of the triples that there are. */
static void mixture(uint32_t round)
{
    static const char *const brief[] = {"linger.ms=0", "batch.size=600", "delivery.timeout.ms=1500",
                                        NULL};
    static const char *const faults[] = {
        "produce:/3:error=45:partition=1", "produce:/5:drop-answer",
        "produce:/4:error=59:partition=2", "produce:/7:error=6:partition=0",
        "produce:/11:drop-request",        "produce:/13:close-after"};
    make_start(1, 4, brief);
    for (unsigned i = 0; i < sizeof(faults) / sizeof(*faults); i++)
        if ((round + i) % 3)
            make_fault(faults[i]);
    for (int i = 0; i < 60; i++) {
        if (i == 20 && mbed.producer->producer_id >= 0)
            mbed.producer->producer_epoch = INT16_MAX - 2; /* as after so many bumps */
        for (uint32_t k = 0; k < 6; k++)
            (void)make_try((int32_t)((k + (uint32_t)i) % 4), 60 + 50 * (k % 5));
        sim_pair_step(&mbed.pair, 20000 + 7000 * (round % 4));
    }
    make_settle();
    check_sequences(4);
    int64_t id = -1;
    bool changed = false;
    for (uint32_t i = 0; i < mbed.n_sights; i++) {
        changed = changed || (id >= 0 && mbed.sights[i].producer_id != id);
        id = mbed.sights[i].producer_id;
    }
    cr_assert(changed, "epochs were not used up");
    make_stop();
}

Test(producer_epochs, a_batch_carries_id_epoch_and_sequence_of_one_moment)
{
    for (uint32_t round = 0; round < 6; round++)
        mixture(round);
}

/* The epoch goes up once more while a batch is drained: one behind it, which may be
 * written, is given up by the same drain. With the newer epoch and the older sequence it
 * would be the twin of the batch that follows, and that would be taken for a duplicate. */
Test(producer_epochs, an_epoch_that_is_used_up_while_a_batch_is_drained_is_for_the_next)
{
    make_start(1, 1, small);
    make(0, 10);
    make_settle();
    make_fault("produce:1:error=45");    /* the first of two: numbered anew */
    make_fault("produce:2:drop-answer"); /* the second: may be written */
    mbed.pair.hold_answers = true;
    for (int i = 0; i < 14; i++)
        make(0, 130);
    for (int i = 0; i < 5; i++)
        sim_pair_step(&mbed.pair, 10000);
    cr_assert_geq(mbed.n_requests, 3);
    mbed.pair.hold_answers = false;
    make_settle();
    make(0, 100);
    make_settle();
    cr_assert_gt(mbed.n_of[KW_UNKNOWN], 0);
    cr_assert_eq(mbed.fates[mbed.n_made - 1].outcome, KW_DELIVERED);
    cr_assert_neq(mbed.fates[mbed.n_made - 1].offset, -1, "taken for a duplicate");
    make_check_order(1);
    check_sequences(1);
    make_stop();
}
