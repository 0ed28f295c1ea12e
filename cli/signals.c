/* cli/signals.c -- SIGINT and SIGTERM as a count that the main loop looks at. */
#include "cli/signals.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>

static volatile sig_atomic_t signals_count;
static struct kw_client *volatile signals_client;

static void signals_handle(int number)
{
    struct kw_client *client = signals_client;

    (void)number;
    signals_count = signals_count + 1;
    if (client)
        kw_client_wake(client);
}

void cli_signals_install(struct kw_client *client)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = signals_handle;
    sigemptyset(&action.sa_mask);
    signals_client = client;
    /* No SA_RESTART: a blocking read(2) or write(2) must end too. */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

void cli_signals_forget(void)
{
    signals_client = NULL;
}

int cli_signals_count(void)
{
    return signals_count;
}
