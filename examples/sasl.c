/* examples/sasl.c -- a SASL mechanism of the program's own, as one would add
 * Kerberos or that of a cloud: here PLAIN, whose one token comes a moment later, as
 * if another service had to be asked for it. Prints the brokers of the cluster.
 *
 *   kw broker --topic t --sasl PLAIN:alice:secret
 *   sasl 127.0.0.1:9092 alice secret */
#include <stdio.h>
#include <string.h>

#include <kwire/kwire.h>

struct login {
    const char *user, *password;
    /* That waits for a token; 0 none. One is enough for one broker: with more of them several
     * exchanges may be under way, and a list is needed. */
    uint32_t exchange;
};

static int login_step(void *ctx, struct kw_sasl_step *step)
{
    struct login *login = ctx;

    if (!step->is_first)
        return step->challenge.len == 0 ? KW_SASL_DONE : KW_ERR_AUTH;
    login->exchange = step->exchange;
    fprintf(stderr, "a token for %s:%u is asked for\n", step->host, step->port);
    return KW_SASL_LATER;
}

/* Answers what waits; a program would do so when its other service has answered. */
static void login_answer(struct login *login, struct kw_client *client)
{
    char token[256];
    struct kw_bytes bytes = {token, 0};
    int n = snprintf(token, sizeof(token), "%c%s%c%s", 0, login->user, 0, login->password);

    if (!login->exchange || n < 0 || (size_t)n >= sizeof(token))
        return;
    bytes.len = (size_t)n;
    if (kw_sasl_answer(client, login->exchange, KW_SASL_SEND, &bytes, NULL))
        fprintf(stderr, "nobody waits for it any more\n");
    login->exchange = 0;
}

/* Polls until the operation has ended; returns its code. */
static int run(struct kw_client *client, struct login *login)
{
    struct kw_event event;

    for (;;) {
        kw_client_poll(client, 100);
        login_answer(login, client);
        while (kw_next_event(client, &event) == 1) {
            if (event.kind == KW_EVENT_ERROR)
                fprintf(stderr, "warning: %s (%s)\n", event.error->text, event.error->hint);
            if (event.kind == KW_EVENT_OP_DONE)
                return event.code;
        }
    }
}

int main(int argc, char **argv)
{
    struct login login = {0};
    struct kw_sasl_hook hook = {.size = sizeof(hook),
                                .mechanism = "PLAIN",
                                .ctx = &login,
                                .step = login_step,
                                .has_secret = true};
    struct kw_env env = {.sasl = &hook};
    struct kw_admin_request request = {.size = sizeof(request), .kind = KW_ADMIN_METADATA};
    struct kw_admin_result *result = NULL;
    struct kw_config *cfg = NULL;
    struct kw_client *client = NULL;
    struct kw_error error = {0};
    int rc;

    if (argc != 4) {
        fprintf(stderr, "usage: sasl BROKERS USER PASSWORD\n");
        return 2;
    }
    login.user = argv[2];
    login.password = argv[3];
    rc = kw_config_new(&cfg);
    if (!rc)
        rc = kw_config_set(cfg, "bootstrap.servers", argv[1], &error);
    if (!rc)
        rc = kw_config_set(cfg, "security.protocol", "SASL_PLAINTEXT", &error);
    if (!rc)
        rc = kw_config_set(cfg, "sasl.mechanism", "CUSTOM", &error);
    if (!rc)
        rc = kw_config_set(cfg, "sasl.allow.plaintext", "true", &error);
    if (!rc)
        rc = kw_client_create_env(&client, cfg, &env, &error);
    kw_config_destroy(cfg);
    if (rc) {
        fprintf(stderr, "%s %s\n", error.text[0] ? error.text : kw_err_name(rc), error.hint);
        return 1;
    }
    rc = kw_admin(client, &request, &result, 10000, NULL) ? run(client, &login) : KW_ERR_NOMEM;
    for (uint32_t i = 0; !rc && i < result->n_brokers; i++)
        printf("broker %d: %s:%d\n", (int)result->brokers[i].id, result->brokers[i].host,
               (int)result->brokers[i].port);
    kw_admin_result_destroy(result);
    kw_client_destroy(client);
    return rc ? 1 : 0;
}
