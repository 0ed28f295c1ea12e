/* mock/conn.h -- connections of the broker model: what mock/mock.c needs of
 * them. The rest is in mock/mock.h. */
#ifndef KWI_MOCK_CONN_H
#define KWI_MOCK_CONN_H
#include "mock/call.h"

/* Ends all connections to a broker that goes down, with their output. */
void kwi_mock_conns_close(struct kw_mock *mock, uint32_t broker);
/* Frees all connections. */
void kwi_mock_conns_destroy(struct kw_mock *mock);

#endif
