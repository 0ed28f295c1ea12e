/* mock/conn.h -- connections of the broker model: what mock/mock.c needs of
 * them. The rest is in mock/mock.h. */
#ifndef KWI_MOCK_CONN_H
#define KWI_MOCK_CONN_H
#include "mock/call.h"

/* Ends all connections to a broker that goes down, with their output. */
void kwi_mock_conns_close(struct kw_mock *mock, uint32_t broker);
/* A removed fault no longer acts on requests that are held back; its number may
 * soon be another's. */
void kwi_mock_conns_forget_fault(struct kw_mock *mock, uint32_t id);
/* Frees all connections. */
void kwi_mock_conns_destroy(struct kw_mock *mock);

#endif
