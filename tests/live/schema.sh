#!/usr/bin/env bash
# The tables of proto/ against the message definitions of Apache Kafka 4.3.1 and
# of the newest version that they describe, and whether a wrong table is seen.
#
# A table is made wrong in a copy of its source, whose object then stands before
# the library: the rest of the program is the one that was just found right.
. "$(dirname "$0")/lib.sh"

for version in 4.3.1 4.4.0; do
    check "the tables are those of Kafka $version" tools/schema-diff "$version"
done

# wrong TEXT FILE SED WANTED: one change, and what must be said about it
wrong() {
    local text=$1 file=$2 change=$3 wanted=$4 copy=$work/wrong.c
    sed "$change" "$file" >"$copy"
    if cmp -s "$copy" "$file"; then
        not_ok "$text: the change changes nothing"
        return
    fi
    ${CC:-cc} -std=c11 -I. -Iinclude -o "$work/wrong" tools/schema_dump.c "$copy" \
        build/obj/libkwire-plain.a >"$work/cc.log" 2>&1 ||
        { cat "$work/cc.log"; not_ok "$text: does not compile"; return; }
    if tools/schema-diff dump "$work/wrong" 4.3.1 >"$work/wrong.log" 2>&1; then
        not_ok "$text: nothing was said"
    elif grep -qF "$wanted" "$work/wrong.log"; then
        ok "$text: is seen"
    else
        cat "$work/wrong.log"
        not_ok "$text: something else was said"
    fi
}

wrong "a row less" proto/produce.c '/KWI_MAYBE(produce_request, transactional_id,/d' \
    "ProduceRequest.transactionalId: has no row"
wrong "a version shifted" proto/metadata.c \
    's/\(KWI_MAYBE(metadata_response_broker, rack, *\)1,/\12,/' \
    "MetadataResponse.brokers.rack: versions is 1-13, the table says 2-13"
wrong "a null forbidden" proto/metadata.c \
    's/\(KWI_MAYBE(metadata_request_topic, name, *0, KWI_LAST, \)10,/\111,/' \
    "MetadataRequest.topics.name: null is 10-13, the table says 11-13"
wrong "two rows in the wrong order" proto/coordinator.c '/find_coordinator_request, key,/{h;d}
/find_coordinator_request, key_type,/{G}' "FindCoordinatorRequest: the order is"

done_testing
