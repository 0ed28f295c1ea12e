/* covers: B12 */
/* Each cell of the state tables of connection and link, written out once more:
 * a change of a table must be meant. '.' is an illegal cell. */
#include <criterion/criterion.h>

#include "client/conn.h"
#include "client/consumer.h"
#include "client/group.h"
#include "client/link.h"
#include "client/sasl.h"

/* Rows are states, columns events; a digit is the next state. */
static const char *const conn_cells[KWI_CONN_STATES] = {
    /*            OPENED ANSWERED CHALLENGED PROVED DUE FAILED */
    /* OPENING  */ "1....5",
    /* VERSIONS */ ".32..5",
    /* SASL     */ "...3.5",
    /* READY    */ "....45",
    /* REAUTH   */ "...3.5",
    /* CLOSING  */ "5....5",
};

static const char *const sasl_cells[KWI_SASL_STATES] = {
    /*          TAKEN MADE ANSWERED FINISHED FAILED */
    /* OFFER  */ "1...4",
    /* MAKE   */ ".2.34",
    /* SEND   */ "..1.4",
    /* DONE   */ ".....",
    /* FAILED */ ".....",
};

static const char *const link_cells[KWI_LINK_STATES] = {
    /*           NEED RESOLVED UNRESOLVED UP DOWN_MORE DOWN QUIET DUE */
    /* IDLE      */ "1.......",
    /* RESOLVING */ ".24...0.",
    /* OPENING   */ "...32402",
    /* READY     */ ".....40.",
    /* BACKOFF   */ ".......0",
};

static const char *const part_cells[KWI_N_PART_STATES] = {
    /* FOUND UNPLACED PLACED RETRY MOVED DUE RESET SEEK STOP ASK KNOWN DOUBT */
    /* LEADER  */ "21.3...045.6",
    /* LOOKUP  */ "..230..04...",
    /* FETCH   */ "...300004...",
    /* WAIT    */ "....00.04...",
    /* STOPPED */ ".......04...",
    /* OFFSET  */ ".......04.0.",
    /* CHECK   */ "...30.004...",
};

static const char *const classic_cells[KWI_CLASSIC_STATES] = {
    /* SUBSCRIBED FOUND READY GONE LED JOINED SYNCED PARTED REJOIN RETRY DUE LATE FATAL LEFT */
    /* OUT     */ "1..........abo",
    /* FIND    */ ".2.........abo",
    /* PREPARE */ "..39....2..abo",
    /* JOIN    */ "....45..28.abo",
    /* PLAN    */ ".....5..28.abo",
    /* SYNC    */ "......6728.abo",
    /* STABLE  */ "........2..abo",
    /* SETTLE  */ "..2.....2..abo",
    /* WAIT    */ "..........1abo",
    /* LEAVE   */ "...........a.o",
    /* AWAY    */ "1............o",
    /* FAILED  */ "1............o",
};

static const char *const modern_cells[KWI_MODERN_STATES] = {
    /* SUBSCRIBED FOUND JOINED TARGET READY TOLD UNSUBSCRIBED GONE VOID RETRY DUE LATE FATAL LEFT */
    /* OUT       */ "1..........9f0",
    /* FIND      */ ".2....8....9f0",
    /* JOIN      */ "..3...8..6.9f0",
    /* STABLE    */ "...4..7.16.9f0",
    /* RECONCILE */ "...45.7.16.9f0",
    /* ACK       */ "...4.37.16.9f0",
    /* WAIT      */ "......8...19f0",
    /* PART      */ ".......800.9f0",
    /* LEAVE     */ "...........9.0",
    /* AWAY      */ "1............0",
    /* FAILED    */ "1............0",
};

Test(states, every_cell_of_the_table_of_members_by_heartbeats_is_as_written)
{
    for (unsigned s = 0; s < KWI_MODERN_STATES; s++) {
        for (unsigned e = 0; e < KWI_MODERN_EVENTS; e++) {
            unsigned next;
            bool legal = kwi_modern_cell(s, e, &next);
            char cell = modern_cells[s][e];
            cr_assert_eq(legal, cell != '.', "state %u event %u", s, e);
            if (legal)
                cr_assert_eq(next, cell == 'f' ? 10u : (unsigned)(cell - '0'), "state %u event %u",
                             s, e);
        }
    }
}

/* a AWAY, b FAILED, o OUT, else a number */
static unsigned classic_state(char cell)
{
    return cell == 'a' ? 10 : cell == 'b' ? 11 : cell == 'o' ? 0 : (unsigned)(cell - '0');
}

Test(states, every_cell_of_the_table_of_classic_membership_is_as_written)
{
    for (unsigned s = 0; s < KWI_CLASSIC_STATES; s++) {
        for (unsigned e = 0; e < KWI_CLASSIC_EVENTS; e++) {
            unsigned next;
            bool legal = kwi_classic_cell(s, e, &next);
            cr_assert_eq(legal, classic_cells[s][e] != '.', "state %u event %u", s, e);
            if (legal)
                cr_assert_eq(next, classic_state(classic_cells[s][e]), "state %u event %u", s, e);
        }
    }
}

Test(states, every_cell_of_the_table_of_assigned_partitions_is_as_written)
{
    for (unsigned s = 0; s < KWI_N_PART_STATES; s++) {
        for (unsigned e = 0; e < KWI_N_PART_EVENTS; e++) {
            unsigned next;
            bool legal = kwi_part_cell(s, e, &next);
            cr_assert_eq(legal, part_cells[s][e] != '.', "state %u event %u", s, e);
            if (legal)
                cr_assert_eq(next, (unsigned)(part_cells[s][e] - '0'), "state %u event %u", s, e);
        }
    }
}

Test(states, every_cell_of_the_connection_table_is_as_written)
{
    for (unsigned s = 0; s < KWI_CONN_STATES; s++) {
        for (unsigned e = 0; e < KWI_CONN_EVENTS; e++) {
            unsigned next;
            bool legal = kwi_conn_cell(s, e, &next);
            cr_assert_eq(legal, conn_cells[s][e] != '.', "state %u event %u", s, e);
            if (legal)
                cr_assert_eq(next, (unsigned)(conn_cells[s][e] - '0'), "state %u event %u", s, e);
        }
    }
}

Test(states, every_cell_of_the_link_table_is_as_written)
{
    for (unsigned s = 0; s < KWI_LINK_STATES; s++) {
        for (unsigned e = 0; e < KWI_LINK_EVENTS; e++) {
            unsigned next;
            bool legal = kwi_link_cell(s, e, &next);
            cr_assert_eq(legal, link_cells[s][e] != '.', "state %u event %u", s, e);
            if (legal)
                cr_assert_eq(next, (unsigned)(link_cells[s][e] - '0'), "state %u event %u", s, e);
        }
    }
}

Test(states, every_cell_of_the_sasl_table_is_as_written)
{
    for (unsigned s = 0; s < KWI_SASL_STATES; s++) {
        for (unsigned e = 0; e < KWI_SASL_EVENTS; e++) {
            unsigned next;
            bool legal = kwi_sasl_cell(s, e, &next);
            cr_assert_eq(legal, sasl_cells[s][e] != '.', "state %u event %u", s, e);
            if (legal)
                cr_assert_eq(next, (unsigned)(sasl_cells[s][e] - '0'), "state %u event %u", s, e);
        }
    }
}
