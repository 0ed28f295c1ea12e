/* tools/gen_protocol_doc.c -- prints docs/PROTOCOL.md; run it in the top folder. */
#include "tools/protocol_doc.h"

int main(void)
{
    int missing = protocol_doc_write(stdout);
    return fflush(stdout) || missing ? 1 : 0;
}
