/* tools/gen_config_doc.c -- prints docs/CONFIG.md:
 *     cc -I. -Iinclude tools/gen_config_doc.c build/obj/libkwire-plain.a -o gen && ./gen */
#include "tools/config_doc.h"

int main(void)
{
    config_doc_write(stdout);
    return fflush(stdout) ? 1 : 0;
}
