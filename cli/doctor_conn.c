/* cli/doctor_conn.c -- rows of kw doctor from what the library tells of each
 * connection: look-up, TCP, TLS with its certificates, versions, SASL. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/doctor.h"

static const char *const doctor_phases[] = {
    [KW_PHASE_NONE] = "connect",      [KW_PHASE_RESOLVE] = "resolve",
    [KW_PHASE_CONNECT] = "connect",   [KW_PHASE_TLS] = "tls",
    [KW_PHASE_VERSIONS] = "versions", [KW_PHASE_SASL] = "sasl",
    [KW_PHASE_REQUEST] = "request",   [KW_PHASE_CONFIG] = "config",
};

static void conn_add_text(char *buf, size_t cap, const char *text)
{
    size_t len = strlen(buf);

    if (len < cap)
        snprintf(buf + len, cap - len, "%s", text);
}

static void conn_addresses(const struct kw_conn_step *step, char *buf, size_t cap)
{
    char one[INET6_ADDRSTRLEN];

    buf[0] = '\0';
    for (uint32_t i = 0; i < step->n_addrs; i++) {
        const struct kw_addr *addr = &step->addrs[i];
        if (!inet_ntop(addr->family == 6 ? AF_INET6 : AF_INET, addr->ip, one, sizeof(one)))
            continue;
        if (buf[0])
            conn_add_text(buf, cap, ", ");
        conn_add_text(buf, cap, one);
    }
}

static void conn_date(int64_t seconds, char *buf, size_t cap)
{
    time_t when = (time_t)seconds;
    struct tm tm;

    if (!gmtime_r(&when, &tm) || strftime(buf, cap, "%Y-%m-%d", &tm) == 0)
        snprintf(buf, cap, "?");
}

static void conn_tls(struct doctor_row *row, const struct kw_tls_info *tls)
{
    const struct kw_tls_cert *cert = &tls->chain[0];
    char from[24], until[24];
    int64_t days;

    if (!tls || tls->n_chain == 0) {
        doctor_say(row, "%s, %s%s", tls ? tls->protocol : "TLS is up", tls ? tls->suite : "",
                   tls && tls->resumed ? ", a session resumed" : "");
        return;
    }
    conn_date(cert->not_before, from, sizeof(from));
    conn_date(cert->not_after, until, sizeof(until));
    days = (cert->not_after - (int64_t)time(NULL)) / 86400;
    doctor_say(row,
               "%s, %s; certificate of '%s' for %s, by '%s', %s, %s to %s (%" PRId64
               " days left), %u in the chain%s%s",
               tls->protocol, tls->suite, cert->subject, cert->names[0] ? cert->names : "no name",
               cert->issuer, cert->key, from, until, days, tls->n_chain,
               tls->asked ? ", asked for ours" : "", tls->resumed ? ", a session resumed" : "");
    if (days < DOCTOR_CERT_DAYS) {
        row->verdict = DOCTOR_WARN;
        doctor_advise(row, "renew the certificate on the broker before %s", until);
    }
}

static void conn_done(struct doctor_row *row, const struct kw_conn_step *step)
{
    char text[400];

    switch (step->phase) {
    case KW_PHASE_TLS: conn_tls(row, step->tls); break;
    case KW_PHASE_VERSIONS: doctor_say(row, "ApiVersions was answered"); break;
    case KW_PHASE_SASL:
        doctor_say(row, "authenticated with %s", step->mechanism ? step->mechanism : "?");
        if (step->session_ms > 0)
            doctor_say(row, "authenticated with %s, for sessions of %" PRId64 " s",
                       step->mechanism ? step->mechanism : "?", step->session_ms / 1000);
        break;
    default:
        conn_addresses(step, text, sizeof(text));
        doctor_say(row, "%s", text);
        break;
    }
}

/* FNV-1a of what makes a step another one. */
static uint64_t conn_key(const struct kw_conn_step *step, const char *target)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (const char *c = target; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
    for (size_t i = 0; step->phase != KW_PHASE_RESOLVE && step->n_addrs && i < 16; i++)
        hash = (hash ^ step->addrs[0].ip[i]) * 0x100000001b3u;
    return (hash ^ step->phase) * 0x100000001b3u;
}

void doctor_watch(void *ctx, const struct kw_conn_step *step)
{
    struct doctor *doctor = ctx;
    char target[160], node[24] = "";
    struct doctor_row *row;
    uint64_t key;

    if (step->broker >= 0)
        snprintf(node, sizeof(node), " (broker %d)", (int)step->broker);
    snprintf(target, sizeof(target), "%.110s:%u%s", step->host, step->port, node);
    key = conn_key(step, target);
    for (size_t i = 0; i < doctor->n_rows; i++) {
        row = &doctor->rows[i];
        if (row->key != key)
            continue;
        if (step->error)
            doctor->n_failed_again++;
        else if (row->verdict == DOCTOR_FAIL)
            row->verdict = DOCTOR_WARN; /* it came about in the end */
        return;
    }
    row = doctor_add(doctor, doctor_phases[step->phase <= KW_PHASE_CONFIG ? step->phase : 0],
                     target, DOCTOR_OK, (int64_t)step->duration_us);
    row->key = key;
    if (step->error)
        doctor_blame(row, step->error);
    else
        conn_done(row, step);
}
