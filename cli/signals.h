/* cli/signals.h -- SIGINT and SIGTERM as a count that the main loop looks at. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H
#include <kwire/kwire.h>

/* From now on SIGINT and SIGTERM are counted and end a wait of this client;
 * SIGPIPE is ignored, so that a closed stdout is an error of write(2). */
void cli_signals_install(struct kw_client *client);
/* Call it before the client is destroyed. The signals stay counted. */
void cli_signals_forget(void);
/* How many came. */
int cli_signals_count(void);

#endif
