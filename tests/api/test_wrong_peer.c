/* covers: N01 N03 N07 N11 N28 N32 N34 N35
 * Peers that are no brokers, or broken ones: what the application is told, that
 * it is told in time, and that nothing spins or grows meanwhile. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/api/broker.h"

static uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* What came out of half a second with a wrong peer. */
struct seen {
    int n_errors, n_turns, n_accepted;
    struct kw_error first;
    char all[8192];
};

static void listen_to(struct kw_client *client, struct seen *seen)
{
    struct kw_event event;
    while (kw_next_event(client, &event) == 1) {
        if (event.kind != KW_EVENT_ERROR)
            continue;
        if (seen->n_errors++ == 0)
            seen->first = *event.error;
        size_t len = strlen(seen->all);
        snprintf(seen->all + len, sizeof(seen->all) - len, "[%s: %s (%s)] ", event.error->peer,
                 event.error->text, event.error->hint);
    }
}

static struct seen meet(enum wrong_kind kind, const void *bytes, size_t len)
{
    struct wrong_peer peer = {.kind = kind, .bytes = bytes, .len = len};
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct kw_record record = {.value = {"v", 1}};
    struct kw_error err = {0};
    struct seen seen = {0};
    struct kw_stats stats;
    wrong_start(&peer);
    struct kw_client *client = client_with(peer.servers, "socket.connection.setup.timeout.ms",
                                           "300", "socket.connection.setup.timeout.max.ms", "300",
                                           "request.timeout.ms", "150", "delivery.timeout.ms",
                                           "400", NULL);
    cr_assert_eq(kw_producer_create(&producer, client, NULL, &err), 0, "%s", err.text);
    cr_assert_eq(kw_topic_open(&topic, producer, "t", &err), 0, "%s", err.text);
    cr_assert_eq(kw_produce(topic, &record), KW_ERR_WOULD_BLOCK);
    for (uint64_t end = clock_ms() + 700; clock_ms() < end; seen.n_turns++) {
        cr_assert_geq(kw_client_poll(client, 50), 0);
        listen_to(client, &seen);
    }
    kw_client_stats(client, &stats);
    cr_assert_leq(stats.control_peak, 1 << 20, "a length from the wire was believed");
    cr_assert_lt(seen.n_turns, 300, "it spins");
    cr_assert_eq(kw_wait(client, kw_close(client, 100, NULL), &err), 0, "%s", err.text);
    kw_client_destroy(client);
    seen.n_accepted = atomic_load(&peer.n_accepted);
    wrong_stop(&peer);
    cr_assert_leq(seen.n_accepted, 20, "no pause between attempts");
    cr_assert_geq(seen.n_errors, 1, "nobody was told");
    cr_assert(strstr(seen.all, peer.servers), "the address is missing: %s", seen.all);
    return seen;
}

static void says(const struct seen *seen, const char *what)
{
    cr_assert(strcasestr(seen->all, what), "\"%s\" is missing in %s", what, seen->all);
}

Test(wrong_peer, nobody_listens, .timeout = 30)
{
    struct seen seen = meet(WRONG_REFUSES, NULL, 0);
    cr_assert_eq(seen.first.phase, KW_PHASE_CONNECT);
    says(&seen, "refused");
}

Test(wrong_peer, it_accepts_and_says_nothing, .timeout = 30)
{
    struct seen seen = meet(WRONG_STALLS, NULL, 0);
    cr_assert_eq(seen.first.phase, KW_PHASE_VERSIONS);
    cr_assert_eq(seen.first.code, KW_ERR_TIMEOUT);
}

Test(wrong_peer, it_closes_at_once, .timeout = 30)
{
    struct seen seen = meet(WRONG_CLOSES, NULL, 0);
    says(&seen, "closed");
}

Test(wrong_peer, it_resets_in_the_middle_of_a_frame, .timeout = 30)
{
    meet(WRONG_RESETS, "\0\0\1\0half", 8);
}

Test(wrong_peer, it_speaks_http, .timeout = 30)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    struct seen seen = meet(WRONG_ANSWERS, answer, sizeof(answer) - 1);
    says(&seen, "HTTP");
}

Test(wrong_peer, it_speaks_tls, .timeout = 30)
{
    struct seen seen = meet(WRONG_ANSWERS, "\x15\x03\x01\x00\x02\x02\x46", 7);
    says(&seen, "TLS");
}

Test(wrong_peer, it_sends_a_frame_length_that_nobody_could_mean, .timeout = 30)
{
    meet(WRONG_ANSWERS, "\x7f\xff\xff\xff", 4);
    meet(WRONG_ANSWERS, "\xff\xff\xff\xff", 4);
    meet(WRONG_ANSWERS, "\0\0\0\0", 4);
    meet(WRONG_ANSWERS, "\0\0\0\3abc", 7);
}

Test(wrong_peer, it_sends_noise, .timeout = 30)
{
    char noise[64];
    for (size_t i = 0; i < sizeof(noise); i++)
        noise[i] = (char)(i * 37 + 11);
    memcpy(noise, "\0\0\0\x3c", 4);
    meet(WRONG_ANSWERS, noise, sizeof(noise));
}

Test(wrong_peer, the_name_does_not_exist, .timeout = 30)
{
    struct kw_producer *producer;
    struct kw_topic *topic;
    struct seen seen = {0};
    struct kw_client *client = client_with("no-such-host.invalid:9092", "dns.resolver", "blocking",
                                           NULL);
    cr_assert_eq(kw_producer_create(&producer, client, NULL, NULL), 0);
    cr_assert_eq(kw_topic_open(&topic, producer, "t", NULL), 0);
    for (int i = 0; i < 50 && seen.n_errors == 0; i++) {
        cr_assert_geq(kw_client_poll(client, 100), 0);
        listen_to(client, &seen);
    }
    cr_assert_geq(seen.n_errors, 1);
    cr_assert_eq(seen.first.phase, KW_PHASE_RESOLVE);
    says(&seen, "no-such-host.invalid");
    kw_client_destroy(client);
}
