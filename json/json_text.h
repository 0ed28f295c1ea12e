/* json/json_text.h -- JSON as text: one cursor over values, strings byte by byte.
 *
 * Nothing is allocated and nothing recurses. A value is skipped by its brackets
 * and read by its type; reading is strict, so what was skipped and is never read
 * must be refused by the caller. Bytes of strings above 127 pass through as they
 * are, as in print.c: text from the wire comes back exactly. */
#ifndef KWI_JSON_TEXT_H
#define KWI_JSON_TEXT_H
#include "proto/wire.h"

/* The cursor is sticky, as those of wire.h: p stays at the first fault. */
struct kw_jtext {
    const uint8_t *p, *end;
    int err;            /* KW_ERR_SYNTAX, _NULL ... */
    const char *reason; /* static text */
};

void kwi_jtext_fail(struct kw_jtext *t, int err, const char *reason);
/* The next byte behind white space, or 0 at the end. */
uint8_t kwi_jtext_peek(struct kw_jtext *t);
/* Takes c, or fails. */
void kwi_jtext_expect(struct kw_jtext *t, char c, const char *reason);
/* Takes c, or returns false. */
bool kwi_jtext_take(struct kw_jtext *t, char c);
/* Takes a word of letters: null, true, false. */
bool kwi_jtext_word(struct kw_jtext *t, const char *word);
/* Passes one value of any type, without looking closely. */
void kwi_jtext_skip(struct kw_jtext *t);
/* Passes a number; [*start, t->p) is its text. *whole: neither point nor exponent. */
void kwi_jtext_number(struct kw_jtext *t, const uint8_t **start, bool *whole);
/* Reads a whole number from min to max. */
int64_t kwi_jtext_int(struct kw_jtext *t, int64_t min, int64_t max);

/* The bytes of a string that kwi_jtext_string has checked. */
struct kw_jstring {
    const uint8_t *p, *end;
    uint8_t more[3], n_more; /* of a code point that an escape stood for, backwards */
    size_t left;             /* bytes that are still to come */
};

/* Checks one string and passes it. */
struct kw_jstring kwi_jtext_string(struct kw_jtext *t);
uint8_t kwi_jstring_next(struct kw_jstring *s);
/* True if the string is this name of a table's row in camelCase. */
bool kwi_jstring_is(struct kw_jstring s, const char *snake_name);

/* Bytes of base64 (url: its URL-safe digits, without padding) appended to w. */
size_t kwi_jtext_base64(struct kw_jtext *t, struct kw_jstring s, bool url, struct kw_wr *w);

#endif
