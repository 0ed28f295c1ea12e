/* tests/sim/app_receipt.c -- receipts in the simulation: up to three are open at
 * a time, records join one of them or none, and each must end once, with sums
 * that match what was reported of its records one by one. What a receipt says was
 * delivered is told to the checker as such. */
#include "tests/sim/app.h"

static struct sim_slip *slip_random(struct sim_app *app)
{
    uint32_t i = sim_below(&app->rng, SIM_SLIPS_OPEN);
    struct sim_world *world = app->world;
    struct sim_slip *slip = app->open_slips[i];
    if (slip)
        return slip;
    slip = &app->slips[app->n_slips];
    int rc = kw_core_receipt_create(&slip->receipt, app->producer, slip);
    sim_trace_word(&world->trace, 0xa000u + (uint64_t)(int64_t)rc);
    if (rc == KW_ERR_WOULD_BLOCK) {
        app->blocked = true;
        app->blocked_us = world->now_us;
    } else if (rc != 0 && rc != KW_ERR_LIMIT) {
        sim_fail(world, "receipt: %s", kw_err_name(rc));
    }
    if (rc != 0)
        return NULL;
    app->n_slips++;
    app->open_slips[i] = slip;
    return slip;
}

struct sim_slip *sim_app_slip(struct sim_app *app)
{
    if (!app->world->plan.receipts || sim_one_in(&app->rng, 5) ||
        app->n_slips == app->world->plan.n_records)
        return NULL;
    return slip_random(app);
}

static void slip_close(struct sim_app *app, uint32_t i)
{
    struct sim_slip *slip = app->open_slips[i];
    app->open_slips[i] = NULL;
    slip->closed = true;
    slip->closed_at_flush = app->n_flushes;
    if (kw_core_receipt_close(slip->receipt) != 0)
        sim_fail(app->world, "a receipt could not be closed");
}

void sim_app_close_slips(struct sim_app *app, bool all)
{
    for (uint32_t i = 0; i < SIM_SLIPS_OPEN; i++) {
        if (app->open_slips[i] && (all || sim_one_in(&app->rng, 3)))
            slip_close(app, i);
    }
}

/* A failed record of a receipt, or one of none, was reported. */
void sim_app_slip_report(struct sim_app *app, uint32_t id, const struct kw_event *event)
{
    const struct kw_report *report = &event->report;
    struct sim_slip *slip = id < app->world->plan.n_records ? app->slip_of[id] : NULL;
    if (event->tag != slip || (slip != NULL) != (report->receipt != NULL))
        sim_fail(app->world, "record %u was reported for another receipt", id);
    if (!slip)
        return;
    if (slip->ended || report->outcome == KW_DELIVERED)
        sim_fail(app->world, "record %u of a receipt was reported with outcome %d%s", id,
                 report->outcome, slip->ended ? " behind it" : "");
    slip->n_failed[report->outcome]++;
}

void sim_app_receipt(struct sim_app *app, const struct kw_event *event)
{
    struct sim_world *world = app->world;
    struct sim_slip *slip = event->tag;
    const struct kw_receipt_result *result = &event->receipt;
    uint32_t n = 0;
    sim_trace_line(&world->trace, "app: receipt %u: %llu delivered, %llu not written, %llu unknown",
                   (uint32_t)(slip - app->slips), (unsigned long long)result->delivered,
                   (unsigned long long)result->not_written, (unsigned long long)result->unknown);
    sim_trace_word(&world->trace, result->delivered << 40 ^ result->not_written << 20 ^
                                      result->unknown ^ (uint64_t)result->flags << 60);
    if (event->producer != app->producer || slip < app->slips ||
        slip >= app->slips + app->n_slips || slip->ended || !slip->closed) {
        sim_fail(world, "a receipt ended twice, or was never closed");
        return;
    }
    slip->ended = true;
    for (uint32_t id = 0; id < app->n_accepted; id++) {
        if (app->slip_of[id] == slip)
            sim_app_give_back(app, id);
        const struct sim_checker_record *record = &world->checker.records[id];
        if (app->slip_of[id] != slip || record->n_reports > 0)
            continue;
        n++;
        sim_checker_report(&world->checker, id,
                           &(struct sim_outcome){record->accepted.place, -1, KW_DELIVERED,
                                                 result->flags & KW_REPORT_MAYBE_DUPLICATE});
    }
    if (n != result->delivered || slip->n_failed[KW_NOT_WRITTEN] != result->not_written ||
        slip->n_failed[KW_UNKNOWN] != result->unknown ||
        (result->code == 0) != (result->not_written + result->unknown == 0))
        sim_fail(world, "receipt %u says %llu/%llu/%llu, reported were %u/%u/%u",
                 (uint32_t)(slip - app->slips), (unsigned long long)result->delivered,
                 (unsigned long long)result->not_written, (unsigned long long)result->unknown, n,
                 slip->n_failed[KW_NOT_WRITTEN], slip->n_failed[KW_UNKNOWN]);
    app->n_reported += n;
    app->n_delivered += n;
}

/* Must the record have been told when the flush that just ended began to wait? */
bool sim_app_slip_due(const struct sim_app *app, uint32_t id)
{
    const struct sim_slip *slip = app->slip_of[id];
    return !slip || (slip->closed && slip->closed_at_flush < app->n_flushes &&
                     slip->last_id < app->flush_mark);
}
