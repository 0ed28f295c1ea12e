/* The checker itself: a good history passes, and each kind of wrong one is
 * flagged as what it is. A checker that cannot fail proves nothing.
 *
 * covers: I1 I2 I3 I4 I5 I11 P05 */
#include "tests/sim/checker.h"

#include <criterion/criterion.h>

static const struct sim_place home = {1, 2};

static uint64_t content_of(uint32_t id)
{
    return 1000 + id;
}

/* n records of producer 0 accepted, in the log in order, delivered and read. */
static void good_history(struct sim_checker *checker, bool idempotent, uint32_t n)
{
    sim_checker_init(checker);
    sim_checker_producer(checker, 0, &(struct sim_producer_rules){idempotent, true, true});
    sim_checker_position(checker, 0, home, 0);
    for (uint32_t id = 0; id < n; id++) {
        uint32_t got = sim_checker_accept(checker, &(struct sim_accepted){.place = home,
                                                                          .content = content_of(id),
                                                                          .timestamp_ms = 50 + id});
        cr_assert_eq(got, id);
    }
}

static void log_and_read(struct sim_checker *checker, int64_t offset, uint32_t id)
{
    sim_checker_log(checker, home, id, content_of(id), 50 + id);
    sim_checker_handout(checker,
                        &(struct sim_checker_handout){0, home, offset, 50 + id, content_of(id)});
}

static void report(struct sim_checker *checker, uint32_t id, uint8_t outcome, int64_t offset)
{
    sim_checker_report(checker, id, &(struct sim_outcome){home, offset, outcome, false});
}

/* Exactly one kind of violation, `count` times. */
static void assert_only(struct sim_checker *checker, enum sim_violation violation, uint64_t count)
{
    uint64_t sum = sim_checker_judge(checker, true);
    cr_expect_eq(checker->n_found[violation], count, "%s: %lu found", sim_violation_name(violation),
                 (unsigned long)checker->n_found[violation]);
    cr_expect_eq(sum, count, "%lu in all, first: %s", (unsigned long)sum, checker->texts[0]);
    sim_checker_deinit(checker);
}

static void deliver_all(struct sim_checker *checker, uint32_t n)
{
    for (uint32_t id = 0; id < n; id++) {
        log_and_read(checker, id, id);
        report(checker, id, SIM_REPORT_DELIVERED, id);
    }
}

Test(checker, passes_a_good_history)
{
    struct sim_checker checker;
    good_history(&checker, true, 5);
    deliver_all(&checker, 5);
    cr_assert_eq(sim_checker_judge(&checker, true), 0, "%s", checker.texts[0]);
    sim_checker_deinit(&checker);
}

Test(checker, passes_records_that_are_unknown_in_the_log_or_not)
{
    struct sim_checker checker;
    good_history(&checker, true, 3);
    log_and_read(&checker, 0, 0);
    log_and_read(&checker, 1, 2);
    report(&checker, 0, SIM_REPORT_UNKNOWN, -1);
    report(&checker, 1, SIM_REPORT_UNKNOWN, -1);
    report(&checker, 2, SIM_REPORT_DELIVERED, 1);
    cr_assert_eq(sim_checker_judge(&checker, true), 0, "%s", checker.texts[0]);
    sim_checker_deinit(&checker);
}

Test(checker, flags_a_record_without_a_report)
{
    struct sim_checker checker;
    good_history(&checker, true, 3);
    for (uint32_t id = 0; id < 3; id++)
        log_and_read(&checker, id, id);
    report(&checker, 0, SIM_REPORT_DELIVERED, 0);
    report(&checker, 2, SIM_REPORT_DELIVERED, 2);
    assert_only(&checker, SIM_UNREPORTED, 1);
}

Test(checker, flags_a_record_reported_twice)
{
    struct sim_checker checker;
    good_history(&checker, true, 3);
    deliver_all(&checker, 3);
    report(&checker, 1, SIM_REPORT_UNKNOWN, -1);
    assert_only(&checker, SIM_REPORTED_TWICE, 1);
}

Test(checker, flags_a_report_of_a_record_that_was_never_accepted)
{
    struct sim_checker checker;
    good_history(&checker, true, 2);
    deliver_all(&checker, 2);
    report(&checker, 7, SIM_REPORT_DELIVERED, 7);
    assert_only(&checker, SIM_NEVER_ACCEPTED, 1);
}

Test(checker, flags_a_log_record_that_nobody_produced)
{
    struct sim_checker checker;
    good_history(&checker, true, 1);
    deliver_all(&checker, 1);
    sim_checker_log(&checker, home, SIM_NO_ID, 5, 5);
    sim_checker_handout(&checker, &(struct sim_checker_handout){0, home, 1, 5, 5});
    assert_only(&checker, SIM_NEVER_ACCEPTED, 1);
}

Test(checker, flags_a_delivered_record_that_is_not_in_the_log)
{
    struct sim_checker checker;
    good_history(&checker, true, 3);
    log_and_read(&checker, 0, 0);
    log_and_read(&checker, 1, 1);
    report(&checker, 0, SIM_REPORT_DELIVERED, 0);
    report(&checker, 1, SIM_REPORT_DELIVERED, 1);
    report(&checker, 2, SIM_REPORT_DELIVERED, 2);
    assert_only(&checker, SIM_LOST, 1);
}

Test(checker, flags_a_wrong_offset_in_a_report)
{
    struct sim_checker checker;
    good_history(&checker, true, 3);
    for (uint32_t id = 0; id < 3; id++)
        log_and_read(&checker, id, id);
    report(&checker, 0, SIM_REPORT_DELIVERED, 0);
    report(&checker, 1, SIM_REPORT_DELIVERED, 2);
    report(&checker, 2, SIM_REPORT_DELIVERED, 2);
    assert_only(&checker, SIM_LOST, 1);
}

Test(checker, flags_a_delivered_record_lost_even_when_no_offset_was_told)
{
    struct sim_checker checker;
    good_history(&checker, true, 1);
    report(&checker, 0, SIM_REPORT_DELIVERED, -1);
    assert_only(&checker, SIM_LOST, 1);
}

Test(checker, flags_a_duplicate_of_an_idempotent_producer)
{
    struct sim_checker checker;
    good_history(&checker, true, 2);
    deliver_all(&checker, 2);
    log_and_read(&checker, 2, 1);
    assert_only(&checker, SIM_DUPLICATE, 1);
}

Test(checker, flags_a_duplicate_of_an_idempotent_record_that_is_unknown)
{
    struct sim_checker checker;
    good_history(&checker, true, 1);
    log_and_read(&checker, 0, 0);
    log_and_read(&checker, 1, 0);
    report(&checker, 0, SIM_REPORT_UNKNOWN, -1);
    assert_only(&checker, SIM_DUPLICATE, 1);
}

Test(checker, flags_a_duplicate_without_idempotence_unless_the_report_says_maybe)
{
    struct sim_checker checker;
    good_history(&checker, false, 2);
    deliver_all(&checker, 2);
    log_and_read(&checker, 2, 1);
    assert_only(&checker, SIM_DUPLICATE, 1);

    good_history(&checker, false, 2);
    log_and_read(&checker, 0, 0);
    log_and_read(&checker, 1, 1);
    log_and_read(&checker, 2, 1);
    report(&checker, 0, SIM_REPORT_DELIVERED, 0);
    sim_checker_report(&checker, 1, &(struct sim_outcome){home, 2, SIM_REPORT_DELIVERED, true});
    cr_assert_eq(sim_checker_judge(&checker, true), 0, "%s", checker.texts[0]);
    sim_checker_deinit(&checker);
}

Test(checker, flags_records_out_of_order)
{
    for (int idempotent = 0; idempotent < 2; idempotent++) {
        struct sim_checker checker;
        good_history(&checker, idempotent, 3);
        log_and_read(&checker, 0, 0);
        log_and_read(&checker, 1, 2);
        log_and_read(&checker, 2, 1);
        report(&checker, 0, SIM_REPORT_DELIVERED, 0);
        report(&checker, 1, SIM_REPORT_DELIVERED, 2);
        report(&checker, 2, SIM_REPORT_DELIVERED, 1);
        assert_only(&checker, SIM_REORDERED, 1);
    }
}

Test(checker, flags_a_record_in_the_log_that_was_reported_not_written)
{
    struct sim_checker checker;
    good_history(&checker, true, 2);
    log_and_read(&checker, 0, 0);
    log_and_read(&checker, 1, 1);
    report(&checker, 0, SIM_REPORT_DELIVERED, 0);
    report(&checker, 1, SIM_REPORT_NOT_WRITTEN, -1);
    assert_only(&checker, SIM_NOT_NOT_WRITTEN, 1);
}

Test(checker, flags_changed_content_and_changed_timestamps_in_the_log)
{
    struct sim_checker checker;
    good_history(&checker, true, 2);
    sim_checker_log(&checker, home, 0, content_of(0) + 1, 50);
    sim_checker_log(&checker, home, 1, content_of(1), 52);
    sim_checker_position(&checker, 0, home, 2);
    report(&checker, 0, SIM_REPORT_DELIVERED, 0);
    report(&checker, 1, SIM_REPORT_DELIVERED, 1);
    assert_only(&checker, SIM_CONTENT, 2);
}

Test(checker, flags_a_timestamp_that_no_clock_said)
{
    struct sim_checker checker;
    good_history(&checker, true, 1);
    checker.records[0].accepted.timestamp_ms = -1;
    checker.records[0].accepted.clock_min_ms = 100;
    checker.records[0].accepted.clock_max_ms = 120;
    log_and_read(&checker, 0, 0);
    report(&checker, 0, SIM_REPORT_DELIVERED, 0);
    assert_only(&checker, SIM_CONTENT, 1);
}

Test(checker, flags_records_in_another_topic_or_partition)
{
    struct sim_checker checker;
    good_history(&checker, true, 2);
    struct sim_place other = {1, 3}, foreign = {2, 2};
    sim_checker_log(&checker, other, 0, content_of(0), 50);
    sim_checker_log(&checker, foreign, 1, content_of(1), 51);
    report(&checker, 0, SIM_REPORT_UNKNOWN, -1);
    report(&checker, 1, SIM_REPORT_UNKNOWN, -1);
    assert_only(&checker, SIM_WRONG_PLACE, 2);
}

Test(checker, flags_a_report_for_another_partition)
{
    struct sim_checker checker;
    good_history(&checker, true, 1);
    struct sim_place other = {1, 3};
    sim_checker_report(&checker, 0, &(struct sim_outcome){other, -1, SIM_REPORT_UNKNOWN, false});
    assert_only(&checker, SIM_WRONG_PLACE, 1);
}

Test(checker, flags_an_offset_in_a_report_of_a_record_not_delivered)
{
    struct sim_checker checker;
    good_history(&checker, true, 1);
    report(&checker, 0, SIM_REPORT_UNKNOWN, 0);
    assert_only(&checker, SIM_BAD_REPORT, 1);
}

Test(checker, flags_offsets_handed_out_twice_or_going_back)
{
    struct sim_checker checker;
    good_history(&checker, true, 3);
    deliver_all(&checker, 3);
    sim_checker_handout(&checker, &(struct sim_checker_handout){0, home, 2, 52, content_of(2)});
    assert_only(&checker, SIM_NOT_INCREASING, 1);
}

Test(checker, flags_a_skipped_offset)
{
    struct sim_checker checker;
    good_history(&checker, true, 3);
    for (uint32_t id = 0; id < 3; id++) {
        sim_checker_log(&checker, home, id, content_of(id), 50 + id);
        report(&checker, id, SIM_REPORT_DELIVERED, id);
    }
    sim_checker_handout(&checker, &(struct sim_checker_handout){0, home, 0, 50, content_of(0)});
    sim_checker_handout(&checker, &(struct sim_checker_handout){0, home, 2, 52, content_of(2)});
    assert_only(&checker, SIM_SKIPPED, 1);
}

Test(checker, lets_a_seek_go_anywhere)
{
    struct sim_checker checker;
    good_history(&checker, true, 3);
    deliver_all(&checker, 3);
    sim_checker_position(&checker, 0, home, 1);
    for (uint32_t id = 1; id < 3; id++)
        sim_checker_handout(&checker,
                            &(struct sim_checker_handout){0, home, id, 50 + id, content_of(id)});
    cr_assert_eq(sim_checker_judge(&checker, true), 0, "%s", checker.texts[0]);
    sim_checker_deinit(&checker);
}

Test(checker, flags_other_bytes_handed_out_than_the_log_holds)
{
    struct sim_checker checker;
    good_history(&checker, true, 1);
    sim_checker_log(&checker, home, 0, content_of(0), 50);
    report(&checker, 0, SIM_REPORT_DELIVERED, 0);
    sim_checker_handout(&checker, &(struct sim_checker_handout){0, home, 0, 50, 1});
    assert_only(&checker, SIM_CONTENT, 1);
}

Test(checker, flags_a_reader_that_did_not_come_to_the_end)
{
    struct sim_checker checker;
    good_history(&checker, true, 2);
    log_and_read(&checker, 0, 0);
    sim_checker_log(&checker, home, 1, content_of(1), 51);
    report(&checker, 0, SIM_REPORT_DELIVERED, 0);
    report(&checker, 1, SIM_REPORT_DELIVERED, 1);
    assert_only(&checker, SIM_UNREAD, 1);
}
