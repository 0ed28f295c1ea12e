#!/usr/bin/env bash
# kw proto, against bytes that Kafka's own classes made. No broker.
. "$(dirname "$0")/lib.sh"

vector() { # TABLE NAME FIELD: one field of a row of tests/vectors, a text in pieces
    awk -v name="\"$2\"," -v field=".$3" '
        $1 == ".name" { found = $3 == name }
        found && $1 == field { inside = 1 }
        inside {
            last = /[^\\]"}?,$/
            sub(/^[^"]*"/, "")
            sub(/"}?,?$/, "")
            text = text $0
        }
        inside && last { print text; exit }' "tests/vectors/$1.inc"
}
unhex() { # binary of the hexadecimal digits on stdin, in a POSIX shell's way
    awk '{ for (i = 1; i < length($0); i += 2) printf "\\x%s", substr($0, i, 2) }' >"$work/escaped"
    printf '%b' "$(cat "$work/escaped")"
}

run "list" 0 "$kw" proto list
silent "list says nothing else"
true_that "it has the APIs with their versions" awk '
    $2 == "Produce" && $1 == 0 && $3 == "3-13" && $4 == "3-12" && $5 == 9 { n++ }
    $2 == "SaslHandshake" && $5 == "-" { n++ }
    $1 == "data" && $2 == "ConsumerProtocolSubscription" && $3 == "0-3" && $5 == "-" { n++ }
    END { exit !(n == 3 && NR > 80) }' "$out"

# The client's versions are named for what client/ has a request type for, and for nothing
# else. (Raw requests take the key and the version from the application.)
awk '$1 ~ /^[0-9]+$/ && $4 != "-" { print tolower($2) }' "$out" | sort >"$work/named"
grep -ho '\.api_key = KW_API_[A-Z_]*' client/*.c | sed 's/.*KW_API_//; s/_//g' | tr A-Z a-z |
    sort -u >"$work/sent"
true_that "request types are found in client/" [ "$(wc -l <"$work/sent")" -gt 20 ]
same "client's versions are those of what the client sends" "$work/sent" "$work/named"

# name | api | version | kind
while IFS='|' read -r name api version kind; do
    vector messages "$name" hex >"$work/hex"
    vector messages "$name" json | sed 's/\\"/"/g' >"$work/wanted.json"
    true_that "the vector $name is there" [ -s "$work/wanted.json" ]
    run "decode $name" 0 "$kw" proto decode --api "$api" --version "$version" --kind "$kind" --hex <"$work/hex"
    same "$name as Kafka prints it" "$work/wanted.json" "$out"
    unhex <"$work/hex" >"$work/bin"
    run "decode $name as bytes" 0 "$kw" proto decode --api "$api" --version "$version" --kind "$kind" <"$work/bin"
    same "$name from bytes" "$work/wanted.json" "$out"
done <<'ROWS'
apiversions-request-v0|18|0|request
apiversions-response-v0-unsupported-version|18|0|response
apiversions-request-v3|ApiVersions|3|request
ROWS
sed 's/../& /g;s/^/\n\t/' "$work/hex" | tr a-f A-F >"$work/spaced"
run "spaces and capitals in hex" 0 "$kw" proto decode --api apiversions --version 3 --kind request --hex <"$work/spaced"
same "are read" "$work/wanted.json" "$out"
head -c 5 "$work/bin" >"$work/cut"
run "a body that is cut" 1 "$kw" proto decode --api 18 --version 3 --kind request <"$work/cut"
says "the place is named" 'KW_ERR_SHORT: .*client_software_name at byte 1: needs 5 bytes, 4 are left'
true_that "nothing is printed" [ ! -s "$out" ]
run "no hexadecimal digits" 1 "$kw" proto decode --api 18 --version 3 --kind request --hex <<<"0g"
says "the place is named" 'byte 2 of stdin'
run "half a byte" 1 "$kw" proto decode --api 18 --version 3 --kind request --hex <<<"000"
says "is refused" 'odd number'
run "an unknown API" 2 "$kw" proto decode --api Frob --version 3 --kind request </dev/null
says "is named" "'Frob' is unknown"
run "an unknown version" 2 "$kw" proto decode --api 3 --version 99 --kind request </dev/null
says "the range is named" 'Metadata has versions 0 to 13'
run "an unknown kind" 2 "$kw" proto decode --api 3 --version 4 --kind question </dev/null
run "no version" 2 "$kw" proto decode --api 3 --kind request </dev/null
run "no verb" 2 "$kw" proto
run "the example of the help" 0 "$kw" proto decode --api Metadata --version 4 --kind request --hex <<<0000000100046e616d6501
prints "is what it says" '{"topics":[{"name":"name"}],"allowAutoTopicCreation":true}\n'

# Vectors of every message both ways, but those with text that is not ASCII; the
# unit tests have all: key, version, kind, whether it has unknown tags, hex, JSON.
awk '
    function text(line) { sub(/^[^"]*"/, "", line); sub(/"}?,?$/, "", line); return line }
    $1 == ".api_key" { key = $3 + 0 }
    $1 == ".version" { version = $3 + 0 }
    $1 == ".is_request" { kind = $3 ~ /true/ ? "request" : "response" }
    $1 == ".has_unknown_tags" { tags = $3 ~ /true/ }
    $1 == ".hex" || $1 == ".json" { field = $1; value[field] = "" }
    field { value[field] = value[field] text($0) }
    field && /[^\\]"}?,$/ {
        if (field == ".json" && value[field] !~ /\\[0-9]/ && seen[key, kind]++ % 6 == 0)
            print key "|" version "|" kind "|" tags "|" value[".hex"] "|" value[".json"]
        field = ""
    }' tests/vectors/messages.inc >"$work/vectors"
awk '
    function text(line) { sub(/^[^"]*"/, "", line); sub(/"}?,?$/, "", line); return line }
    $1 == ".api" { name = text($0) }
    $1 == ".version" { version = $3 + 0 }
    $1 == ".hex" || $1 == ".json" { field = $1; value[field] = "" }
    field { value[field] = value[field] text($0) }
    field && /[^\\]"}?,$/ {
        if (field == ".json" && value[field] !~ /\\[0-9]/)
            print name "|" version "|data|0|" value[".hex"] "|" value[".json"]
        field = ""
    }' tests/vectors/data.inc >>"$work/vectors"
true_that "blobs are among them" grep -q '^ConsumerProtocolSubscription|3|data|' "$work/vectors"
n=0
: >"$work/differ"
while IFS='|' read -r key version kind tags hex json; do
    printf '%b\n' "${json//\\\"/\"}" >"$work/json"
    echo "$hex" >"$work/hex"
    "$kw" proto decode --api "$key" --version "$version" --kind "$kind" --hex <"$work/hex" >"$out" 2>"$err" &&
        cmp -s "$work/json" "$out" || echo "decode $key v$version $kind" >>"$work/differ"
    "$kw" proto encode --api "$key" --version "$version" --kind "$kind" --hex <"$work/json" >"$out" 2>"$err" &&
        { [ "$tags" = 1 ] || cmp -s "$work/hex" "$out"; } || echo "encode $key v$version $kind" >>"$work/differ"
    n=$((n + 1))
done <"$work/vectors"
true_that "all of $n vectors decode and encode to Kafka's own" [ $n -gt 200 -a ! -s "$work/differ" ]
head -n 5 "$work/differ"

echo '{"topics":[{"name":"a"},{"name":7}],"allowAutoTopicCreation":true}' >"$work/json"
run "JSON that is wrong" 1 "$kw" proto encode --api 3 --version 4 --kind request <"$work/json"
says "the place is named" 'KW_ERR_SYNTAX: .*topics\[1\].name at byte 32: a string is expected'
true_that "nothing is written" [ ! -s "$out" ]
echo '{"topics":null,"allowAutoTopicCreation":false}' >"$work/json"
run "encode to bytes" 0 "$kw" proto encode --api 3 --version 4 --kind request <"$work/json"
prints "they are bytes" '\xff\xff\xff\xff\x00'
run "an unknown version to encode" 2 "$kw" proto encode --api 3 --version 99 --kind request <"$work/json"
run "no JSON" 1 "$kw" proto encode --api 3 --version 4 --kind request </dev/null
says "is refused" 'the text ends too early'
run "pretty" 0 "$kw" proto decode --pretty --api Metadata --version 4 --kind request --hex <<<0000000100046e616d6501
prints "offset, bytes, field" "\
       0  00 00 00 01              topics: 1 element
                                     [0]
       4  00 04 6e 61 6d 65            name: \"name\"
      10  01                       allowAutoTopicCreation: true
"

records() { # TEXT WANTED_EXIT VECTOR
    vector records "$3" hex >"$work/hex"
    run "$1" "$2" "$kw" proto records --hex <"$work/hex"
}
records "records" 0 batch-v2-none
true_that "the header, with the verdict" grep -q \
    '^{"baseOffset":0,"batchLength":910,.*"crc":"c7b22f18","crcIsGood":true,.*"codec":"none",.*"recordCount":3}$' "$out"
true_that "three records" [ "$(grep -c '^{"offset":' "$out")" = 3 ]
true_that "with key, headers and nulls" grep -q \
    '^{"offset":0,"timestamp":1700000000000,"timestamp_type":"create","key":"key-0","value":"value-0","headers":\[\["trace",.*\["empty",""\],\["nil",null\]\]}$' "$out"
true_that "and a tombstone" grep -q '"key":"key-2","value":null}$' "$out"
tail -n +2 "$out" >"$work/plain"
for codec in gzip snappy lz4 zstd; do
    vector records "batch-v2-$codec" hex | "$kw" proto records --hex >"$out" 2>"$err"
    rc=$?
    if [ $rc = 1 ] && grep -q KW_ERR_CODEC "$err"; then
        "$kw" produce -q -b 127.0.0.1:1 -t t --timeout 1 -z $codec </dev/null >"$out" 2>&1
        true_that "$codec is not in this build" [ $? = 2 ]
        continue
    fi
    tail -n +2 "$out" >"$work/unpacked"
    same "$codec holds the same records" "$work/plain" "$work/unpacked"
done
records "a wrong checksum" 1 batch-v2-bad-crc
says "is said" 'at byte 0: the checksum is wrong'
true_that "and printed" grep -q '"crcIsGood":false' "$out"
records "a control batch" 0 control-abort
true_that "is marked" grep -q '"transactional":true,"control":true' "$out"
records "an old message" 1 message-set-v1-none
says "is named" 'format 1'
records "an old message, a batch and a partial one" 1 mixed-v1-v2-with-partial-tail
says "the partial one is named" 'cut off'
run "no batch" 1 "$kw" proto records <<<"this is no record batch at all"
says "is refused" 'no record batch|cut off'
run "no input" 0 "$kw" proto records </dev/null
prints "is nothing" ''
done_testing
