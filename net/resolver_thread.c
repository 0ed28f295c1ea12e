/* net/resolver_thread.c -- one thread for each look-up by getaddrinfo, only if
 * dns.resolver=thread asks for it.
 *
 * getaddrinfo cannot be interrupted, so a thread may outlive its client. What both
 * know of is the mailbox: it belongs to whoever leaves last, and takes its memory from
 * malloc, because the client's allocator need not stand two threads. */
#include "net/client.h"
#include "net/lookup.h"
#include "net/resolver.h"
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { MAILBOX_THREADS_MAX = 32 }; /* that wait for their resolver at a time */

struct mailbox_job {
    struct mailbox_job *next; /* in mailbox->done */
    struct kw_mailbox *mailbox;
    uint32_t query;
    struct kw_addr addr; /* whose name is wanted; of a name only its port */
    int gai_err;
    size_t n;
    struct kw_addr addrs[KWI_LOOKUP_ADDRS];
    char name[KWI_LOOKUP_NAME]; /* asked for, or found: "" if there is none */
};

struct kw_mailbox {
    pthread_mutex_t lock;
    struct kw_loop *loop; /* to wake; NULL: the client is gone */
    struct mailbox_job *done;
    uint32_t n_threads; /* that are under way */
};

/* Called with the lock held; frees the mailbox if nobody is left. */
static void mailbox_unlock(struct kw_mailbox *mailbox)
{
    bool last = !mailbox->loop && mailbox->n_threads == 0;
    pthread_mutex_unlock(&mailbox->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&mailbox->lock);
    free(mailbox);
}

static void *mailbox_thread(void *arg)
{
    struct mailbox_job *job = arg;
    struct kw_mailbox *mailbox = job->mailbox;
    if (!job->addr.family)
        job->n = kwi_lookup_name(job->name, job->addr.port, job->addrs, KWI_LOOKUP_ADDRS,
                                 &job->gai_err);
    else if (!kwi_lookup_addr(&job->addr, job->name))
        job->name[0] = '\0';
    pthread_mutex_lock(&mailbox->lock);
    mailbox->n_threads--;
    if (mailbox->loop) {
        job->next = mailbox->done;
        mailbox->done = job;
        kwi_loop_wake(mailbox->loop);
    } else {
        free(job);
    }
    mailbox_unlock(mailbox);
    return NULL;
}

static struct kw_mailbox *mailbox_create(struct kw_client *client)
{
    struct kw_mailbox *mailbox = calloc(1, sizeof(*mailbox));
    if (!mailbox)
        return NULL;
    if (pthread_mutex_init(&mailbox->lock, NULL) != 0) {
        free(mailbox);
        return NULL;
    }
    mailbox->loop = client->loop;
    return mailbox;
}

/* Signals are the application's: none is taken by our thread. */
static int mailbox_start(struct mailbox_job *job)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;
    int rc = pthread_attr_init(&attr);
    if (rc)
        return rc;
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, &attr, mailbox_thread, job);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return rc;
}

int kwi_mailbox_ask(struct kw_client *client, uint32_t query, const char *name,
                    const struct kw_addr *addr)
{
    struct kw_resolver *resolver = &client->resolver;
    if (!resolver->mailbox)
        resolver->mailbox = mailbox_create(client);
    struct kw_mailbox *mailbox = resolver->mailbox;
    struct mailbox_job *job = mailbox ? calloc(1, sizeof(*job)) : NULL;
    size_t len = name ? strlen(name) : 0;
    int rc = 0;
    if (!job || len >= sizeof(job->name)) {
        free(job);
        return ENOMEM;
    }
    memcpy(job->name, name ? name : "", len);
    job->mailbox = mailbox;
    job->query = query;
    job->addr = *addr;
    pthread_mutex_lock(&mailbox->lock);
    if (mailbox->n_threads >= MAILBOX_THREADS_MAX)
        rc = EAGAIN;
    else
        mailbox->n_threads++;
    pthread_mutex_unlock(&mailbox->lock);
    if (!rc) {
        rc = mailbox_start(job);
        pthread_mutex_lock(&mailbox->lock);
        mailbox->n_threads -= rc != 0;
        pthread_mutex_unlock(&mailbox->lock);
    }
    if (rc)
        free(job);
    return rc;
}

static void mailbox_tell(struct kw_client *client, const struct mailbox_job *job)
{
    if (job->addr.family)
        kw_core_named(client->core, job->query, job->name[0] ? job->name : NULL);
    else if (job->n > 0)
        kw_core_resolved(client->core, job->query, job->addrs, job->n, 0);
    else
        kwi_resolver_fail(client, job->query, job->gai_err, gai_strerror(job->gai_err), NULL);
}

void kwi_mailbox_turn(struct kw_client *client)
{
    struct kw_mailbox *mailbox = client->resolver.mailbox;
    struct mailbox_job *done, *next;
    pthread_mutex_lock(&mailbox->lock);
    done = mailbox->done;
    mailbox->done = NULL;
    pthread_mutex_unlock(&mailbox->lock);
    for (; done; done = next) {
        next = done->next;
        mailbox_tell(client, done);
        free(done);
    }
}

void kwi_mailbox_close(struct kw_mailbox *mailbox)
{
    if (!mailbox)
        return;
    pthread_mutex_lock(&mailbox->lock);
    for (struct mailbox_job *job = mailbox->done, *next; job; job = next) {
        next = job->next;
        free(job);
    }
    mailbox->done = NULL;
    mailbox->loop = NULL;
    mailbox_unlock(mailbox);
}
