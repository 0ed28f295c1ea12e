/* net/gate.c -- the gate of a client: coming in and going out. See gate.h. */
#include "net/gate.h"
#include "base/fmt.h"
#include "net/client.h"
#include "net/thread.h"
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static size_t gate_page_size(void)
{
    long size = sysconf(_SC_PAGESIZE);
    return size > 0 ? (size_t)size : 4096;
}

int kwi_gate_init(struct kw_gate *gate)
{
    void *page = mmap(NULL, gate_page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                      -1, 0);
    memset(gate, 0, sizeof(*gate));
    if (page == MAP_FAILED)
        return KW_ERR_NOMEM;
    gate->word = page;
    /* Linux before 4.14 cannot: there the process id is looked at, in all calls but those
     * of each record. */
    if (madvise(page, gate_page_size(), MADV_WIPEONFORK) != 0)
        gate->pid = (long)getpid();
    atomic_init(gate->word, KWI_GATE_FREE);
    atomic_init(&gate->owner, 0);
    return 0;
}

void kwi_gate_deinit(struct kw_gate *gate)
{
    if (gate->word)
        munmap((void *)gate->word, gate_page_size());
    gate->word = NULL;
}

uintptr_t kwi_gate_self(void)
{
    return (uintptr_t)pthread_self();
}

bool kwi_gate_is_forked(struct kw_gate *gate)
{
    if (gate->pid && gate->pid != (long)getpid())
        atomic_store_explicit(gate->word, KWI_GATE_FORKED, memory_order_relaxed);
    return kwi_gate_word(gate) == KWI_GATE_FORKED;
}

int kwi_client_enter(struct kw_client *client)
{
    if (!client)
        return 0; /* a core that the program drives itself */
    struct kw_gate *gate = &client->gate;
    uintptr_t self = kwi_gate_self();
    unsigned free_word = KWI_GATE_FREE;
    if (kwi_gate_is_forked(gate))
        return KW_ERR_FORKED;
    if (atomic_load_explicit(&gate->owner, memory_order_relaxed) == self) {
        gate->depth++;
        return 0;
    }
    if (kwi_gate_has_thread(gate))
        return kwi_thread_lock(client);
    if (!atomic_compare_exchange_strong(gate->word, &free_word, KWI_GATE_HELD))
        return KW_ERR_BUSY;
    atomic_store_explicit(&gate->owner, self, memory_order_relaxed);
    return 0;
}

int kwi_client_enter_alone(struct kw_client *client)
{
    int rc = kwi_thread_is_self(client) ? KW_ERR_REENTRANT : kwi_client_enter(client);
    if (rc == 0 && client->gate.depth > 0) {
        client->gate.depth--;
        rc = KW_ERR_REENTRANT;
    }
    return rc;
}

void kwi_client_exit(struct kw_client *client)
{
    if (!client)
        return;
    struct kw_gate *gate = &client->gate;
    if (gate->depth > 0) {
        gate->depth--;
        return;
    }
    if (kwi_gate_has_thread(gate)) {
        kwi_thread_unlock(client);
        return;
    }
    kwi_client_kick(client);
    atomic_store_explicit(&gate->owner, 0, memory_order_relaxed);
    atomic_store(gate->word, KWI_GATE_FREE);
}

int kwi_client_refuse(struct kw_error *err, int code)
{
    const char *text = "the client is being destroyed", *hint = "";
    if (code == KW_ERR_REENTRANT) {
        text = "a call that waits was made inside a callback";
        hint = "start the operation there, and take its event";
    } else if (code == KW_ERR_BUSY) {
        text = "another thread is inside the client";
        hint = "kw_client_start_thread lets calls come from any thread";
    } else if (code == KW_ERR_FORKED) {
        text = "the client belongs to the process that this one was forked from";
        hint = "create a client after fork()";
    }
    if (err) {
        memset(err, 0, sizeof(*err));
        err->code = code;
        err->broker = -1;
        kwi_fmt(err->text, sizeof(err->text), "%s", text);
        kwi_fmt(err->hint, sizeof(err->hint), "%s", hint);
    }
    return code;
}

int kwi_client_enter_now(struct kw_client *client)
{
    int rc = kwi_client_enter(client);
    if (rc == 0 && client)
        kwi_client_catch_up(client);
    return rc;
}

int kwi_client_enter_say(struct kw_client *client, struct kw_error *err)
{
    int rc = kwi_client_enter_now(client);
    return rc != 0 ? kwi_client_refuse(err, rc) : 0;
}
