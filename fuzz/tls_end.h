/* fuzz/tls_end.h -- the broker's side of TLS in memory, by OpenSSL: what its client
 * sent goes in, what it sends comes out, and nothing happens in between. */
#ifndef FUZZ_TLS_END_H
#define FUZZ_TLS_END_H
#include <stdbool.h>
#include <stddef.h>

struct tls_end;

/* The authority of its certificate (for "localhost"), as PEM text. */
const char *tls_end_authority(void);
/* max_12: no TLS 1.3. Sessions may be resumed. */
struct tls_end *tls_end_open(bool max_12);
void tls_end_close(struct tls_end *end);

/* Ciphertext from the client; and to it: so many of at most cap bytes. */
void tls_end_put(struct tls_end *end, const void *ptr, size_t len);
size_t tls_end_take(struct tls_end *end, void *buf, size_t cap);

/* Goes on with the handshake; true: it is over. */
bool tls_end_handshake(struct tls_end *end);
bool tls_end_write(struct tls_end *end, const void *ptr, size_t len);
/* So many bytes of plaintext from the client; 0: there is nothing, or no more. */
size_t tls_end_read(struct tls_end *end, void *buf, size_t cap);
bool tls_end_is_13(const struct tls_end *end);
/* What it writes from now on has new keys; ask: the client is to follow. */
void tls_end_update_keys(struct tls_end *end, bool ask);
/* TLS 1.2: asks for another handshake. */
void tls_end_renegotiate(struct tls_end *end);
void tls_end_goodbye(struct tls_end *end);

#endif
