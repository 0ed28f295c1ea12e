/* tests/support/shim/shim.c -- the main of a test program without Criterion.
 *
 * Runs each test in a child process of its own, one after another, so that a
 * failed assertion, a crash or a hang ends that test alone. An error that
 * valgrind finds becomes the child's exit code, and so that test's failure.
 *
 *     test_x [SUITE/NAME]     all tests, or one
 *
 * Prints "ok - SUITE/NAME" or "not ok - SUITE/NAME: why" for each test, which is
 * what tools/count.sh counts, and at the end "N passed, M failed". */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    EXIT_FAILED = 1,
    EXIT_SKIPPED = 77,
    /* An emulator or valgrind is slow, and a time limit has only to end what
     * hangs: a test's own limit is stretched. */
    STRETCH = 10,
    LIMIT_S = 600,
};

static struct shim_test *first, **last = &first;
static struct shim_test *suites;
static bool any_failed;
static FILE *redirected;
static long redirected_at;

void shim_add(struct shim_test *test)
{
    *last = test;
    last = &test->next;
}

void shim_add_suite(struct shim_test *suite)
{
    suite->next = suites;
    suites = suite;
}

static const struct shim_test *suite_of(const struct shim_test *test)
{
    static const struct shim_test none;
    const struct shim_test *suite = suites;

    while (suite && strcmp(suite->suite, test->suite) != 0)
        suite = suite->next;
    return suite ? suite : &none;
}

/* ---- in the child ---------------------------------------------------------- */

static _Noreturn void leave(int code)
{
    fflush(NULL);
    _exit(code);
}

void shim_fail(struct shim_place place, const char *format, ...)
{
    va_list args;

    printf("  %s:%d: failed: %s:", place.file, place.line, place.text);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    any_failed = true;
    if (place.ends)
        leave(EXIT_FAILED);
}

void shim_skip(const char *format, ...)
{
    va_list args;

    printf("  skipped:");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    leave(EXIT_SKIPPED);
}

void cr_redirect_stderr(void)
{
    redirected = tmpfile();
    if (!redirected || dup2(fileno(redirected), STDERR_FILENO) < 0) {
        printf("  cannot redirect stderr: errno %d\n", errno);
        leave(EXIT_FAILED);
    }
}

const char *shim_stderr(void)
{
    static char text[4096];

    fflush(stderr);
    /* The descriptors share one offset, which must stay where the test writes. */
    ssize_t len = pread(STDERR_FILENO, text, sizeof(text) - 1, redirected_at);
    text[len > 0 ? len : 0] = '\0';
    redirected_at += len > 0 ? len : 0;
    return text;
}

static _Noreturn void run_child(const struct shim_test *test)
{
    const struct shim_test *suite = suite_of(test);

    if (suite->init)
        suite->init();
    if (test->init)
        test->init();
    test->run();
    if (test->fini)
        test->fini();
    if (suite->fini)
        suite->fini();
    leave(any_failed ? EXIT_FAILED : 0);
}

/* ---- in the parent ---------------------------------------------------------- */

static struct timespec now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time;
}

/* Waits for the child with SIGCHLD blocked. The status, or -1 for a child that
 * took too long and was killed. */
static int wait_for(pid_t child, double limit_s, const sigset_t *sigchld)
{
    struct timespec start = now();

    for (;;) {
        int status;
        pid_t got = waitpid(child, &status, WNOHANG);
        if (got == child)
            return status;
        struct timespec time = now();
        double left = limit_s - (double)(time.tv_sec - start.tv_sec) -
                      (double)(time.tv_nsec - start.tv_nsec) / 1e9;
        if (left <= 0 || (got < 0 && errno != EINTR)) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return -1;
        }
        struct timespec pause = {.tv_sec = (time_t)left};
        pause.tv_nsec = (long)((left - (double)pause.tv_sec) * 1e9);
        sigtimedwait(sigchld, NULL, &pause);
    }
}

/* 1 passed, 0 skipped, -1 failed */
static int run_test(const struct shim_test *test, const sigset_t *sigchld)
{
    double own_s = test->timeout > 0 ? test->timeout : suite_of(test)->timeout;
    double limit_s = own_s > 0 ? own_s * STRETCH : LIMIT_S;

    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        sigprocmask(SIG_UNBLOCK, sigchld, NULL);
        run_child(test);
    }
    int status = child < 0 ? -1 : wait_for(child, limit_s, sigchld);
    if (status == 0) {
        printf("ok - %s/%s\n", test->suite, test->name);
        return 1;
    }
    if (status > 0 && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED)
        return 0;
    printf("not ok - %s/%s: ", test->suite, test->name);
    if (child < 0)
        puts("fork failed");
    else if (status < 0)
        printf("no end within %.0f s\n", limit_s);
    else if (WIFSIGNALED(status))
        printf("signal %d\n", WTERMSIG(status));
    else
        printf("exit code %d\n", WEXITSTATUS(status));
    return -1;
}

static bool selected(const struct shim_test *test, const char *wanted)
{
    size_t len = strlen(test->suite);

    return !wanted || (strncmp(wanted, test->suite, len) == 0 && wanted[len] == '/' &&
                       strcmp(wanted + len + 1, test->name) == 0);
}

int main(int argc, char **argv)
{
    const char *wanted = argc > 1 ? argv[1] : NULL;
    unsigned n_passed = 0, n_failed = 0, n_run = 0;
    sigset_t sigchld;

    if (argc > 2) {
        fprintf(stderr, "usage: %s [SUITE/NAME]\n", argv[0]);
        return 2;
    }
    sigemptyset(&sigchld);
    sigaddset(&sigchld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &sigchld, NULL);
    for (const struct shim_test *test = first; test; test = test->next) {
        if (!selected(test, wanted))
            continue;
        int result = run_test(test, &sigchld);
        n_run++;
        n_passed += result > 0;
        n_failed += result < 0;
    }
    printf("%u passed, %u failed\n", n_passed, n_failed);
    /* A name that no test has, or a program without tests, is a mistake. */
    return n_failed > 0 || n_run == 0;
}
