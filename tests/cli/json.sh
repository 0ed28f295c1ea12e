#!/usr/bin/env bash
# Records as JSON lines in both directions.
. "$(dirname "$0")/lib.sh"
start_broker --topic in:2 --topic copy:2 --topic bad:1

cat >"$work/lines" <<'END'
{"key":"k","value":"v","headers":{"a":"1","b":null},"partition":0,"timestamp":1700000000001}
{"value":null,"key":null,"partition":0,"timestamp":1700000000002}

{"value":"","key":"","partition":0,"timestamp":1700000000003}
{"value":"caf\u00e9 \ud83d\ude00 \"q\" \\ \n","partition":1,"timestamp":1700000000004}
{"key_b64":"AP8=","value_b64":"//79","partition":1,"timestamp":1700000000005,"headers":[["h","/wE=","b64"],["h","x"]]}
END
run "JSON lines" 0 "$kw" produce -b "$B" -t in --json <"$work/lines"
says "an empty line is layout" '5 delivered, 0 failed'
run "consume -J" 0 "$kw" consume -q -b "$B" -t in -J -e -p 0
cat >"$work/wanted" <<'END'
{"topic":"in","partition":0,"offset":0,"timestamp":1700000000001,"timestamp_type":"create","key":"k","value":"v","headers":[["a","1"],["b",null]]}
{"topic":"in","partition":0,"offset":1,"timestamp":1700000000002,"timestamp_type":"create","key":null,"value":null}
{"topic":"in","partition":0,"offset":2,"timestamp":1700000000003,"timestamp_type":"create","key":"","value":""}
END
same "every field" "$work/wanted" "$out"
run "consume -J of the other partition" 0 "$kw" consume -q -b "$B" -t in -J -e -p 1
cat >"$work/wanted" <<'END'
{"topic":"in","partition":1,"offset":0,"timestamp":1700000000004,"timestamp_type":"create","key":null,"value":"café 😀 \"q\" \\ \n"}
{"topic":"in","partition":1,"offset":1,"timestamp":1700000000005,"timestamp_type":"create","key_b64":"AP8=","value_b64":"//79","headers":[["h","/wE=","b64"],["h","x"]]}
END
same "escapes and base64" "$work/wanted" "$out"

"$kw" consume -q -b "$B" -t in -J -e | sort >"$work/first"
run "what -J prints, --json takes" 0 "$kw" produce -b "$B" -t copy --json "$work/first"
"$kw" consume -q -b "$B" -t copy -J -e | sed 's/"topic":"copy"/"topic":"in"/' | sort >"$work/second"
same "a topic copied with headers, keys, timestamps" "$work/first" "$work/second"

start_broker --topic in:1
printf '%s\n' '{"value":"x","headers":[["a","1"],["c",null]]}' '{"value":"y"}' >"$work/own"
run "--json and -H" 0 "$kw" produce -b "$B" -t in --json -H b=2 "$work/own"
run "both come back" 0 "$kw" consume -q -b "$B" -t in -e -f '%s %h\n'
prints "those of -H first" 'x b=2,a=1,c=NULL\ny b=2\n'
start_broker --topic bad:1

printf '%s\n' '{"value":"good"}' '{"value":' 'plain' '{"value":"a","vlaue":1}' '{"value":"good too"}' >"$work/bad"
run "bad lines among good ones" 1 "$kw" produce -b "$B" -t bad --json <"$work/bad"
says "they are counted" '2 delivered, 3 failed'
says "the second is named with its place" 'record 2: not written: JSON, byte 10: a string is expected'
says "the third" 'record 3: not written: JSON, byte 1: an object is expected'
says "the fourth" 'record 4: not written: JSON, byte 14: unknown member'
run "the good ones are there" 0 "$kw" consume -q -b "$B" -t bad -e
prints "in order" 'good\ngood too\n'
done_testing
