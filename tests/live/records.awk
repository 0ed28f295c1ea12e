# Makes records of every kind, and what other programs must print for them.
#
#   awk -v n=600 -v dir=DIR -f records.awk
#
# DIR/input.jsonl  for kw produce --json
# DIR/want.kcat    kcat and kw, format %o|%T|%K|%k|%S|%s|%h\n
# DIR/want.java    Kafka's console consumer, separator |
#
# The kinds turn with different periods, so that each key kind meets each value
# kind and each header kind. Run it with LC_ALL=C: lengths are bytes.

function json(text) {
    # Half of these backslashes belong to the string, half of the rest to gsub.
    gsub(/\\/, "\\\\\\\\", text)
    gsub(/"/, "\\\"", text)
    gsub(/\t/, "\\t", text)
    gsub(/\n/, "\\n", text)
    gsub(/\001/, "\\u0001", text)
    return "\"" text "\""
}
function repeat(text, size,    out) {
    out = text
    while (length(out) < size) out = out out
    return substr(out, 1, size)
}
function key_of(i,    kind) {
    kind = i % 5
    if (kind == 0) return NONE
    if (kind == 1) return ""
    if (kind == 2) return "key-" i
    if (kind == 3) return "schl\303\274ssel-\351\215\265-" i
    return repeat("long key ", 300)
}
function value_of(i,    kind) {
    if (i % 200 == 150) return repeat("one megabyte of text, number " i ". ", 1000000)
    kind = i % 7
    if (kind == 0) return NONE
    if (kind == 1) return ""
    if (kind == 2) return "value " i
    if (kind == 3) return "\316\261\316\262\316\263 \360\237\246\212 \342\202\254 " i
    if (kind == 4) return "quote \" backslash \\ tab \t newline \n control \001 end"
    if (kind == 5) return repeat("0123456789abcdef", 5000)
    return "x"
}
# Fills name[] and value[]; returns how many.
function headers_of(i,    kind) {
    kind = i % 4
    if (kind == 0) return 0
    name[1] = "trace"; value[1] = "id-" i
    if (kind == 1) return 1
    name[2] = "trace"; value[2] = ""
    if (kind == 2) return 2
    name[3] = "gr\303\266\303\237e"; value[3] = "\342\211\210 5"
    name[4] = "nothing"; value[4] = NONE
    return 4
}

BEGIN {
    NONE = "\002null\002"
    input = dir "/input.jsonl"
    kcat = dir "/want.kcat"
    java = dir "/want.java"
    for (i = 0; i < n; i++) {
        key = key_of(i)
        text = value_of(i)
        n_headers = headers_of(i)
        stamp = sprintf("%.0f", 1700000000000 + 37 * ((i * 7919) % 1000))

        line = "{\"key\":" (key == NONE ? "null" : json(key))
        if (i % 7 == 6)
            line = line ",\"value_b64\":\"//4BeA==\""
        else
            line = line ",\"value\":" (text == NONE ? "null" : json(text))
        if (i % 7 == 6) text = "\377\376\001x"
        list = ""; kcat_list = ""; java_list = ""
        for (h = 1; h <= n_headers; h++) {
            absent = value[h] == NONE
            list = list (h > 1 ? "," : "") "[" json(name[h]) "," (absent ? "null" : json(value[h])) "]"
            kcat_list = kcat_list (h > 1 ? "," : "") name[h] "=" (absent ? "NULL" : value[h])
            java_list = java_list (h > 1 ? "," : "") name[h] ":" (absent ? "NULL" : value[h])
        }
        print line ",\"headers\":[" list "],\"partition\":0,\"timestamp\":" stamp "}" > input
        print i "|" stamp "|" (key == NONE ? -1 : length(key)) "|" (key == NONE ? "" : key) "|" \
            (text == NONE ? -1 : length(text)) "|" (text == NONE ? "" : text) "|" kcat_list > kcat
        print "CreateTime:" stamp "|Offset:" i "|" (n_headers ? java_list : "NO_HEADERS") "|" \
            (key == NONE ? "NULL" : key) "|" (text == NONE ? "NULL" : text) > java
    }
}
