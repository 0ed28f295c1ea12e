#!/usr/bin/env bash
# kw groups, kw offsets and kw lag, against kw broker: groups of both kinds are listed,
# described, reset and deleted; what is active is not touched; a reset is a dry run unless
# it is told otherwise.
. "$(dirname "$0")/lib.sh"
start_broker --brokers 3 --topic orders:3 --topic users:2

seq 30 | "$kw" produce -q -b "$B" -t orders -p 0
seq 20 | "$kw" produce -q -b "$B" -t orders -p 1
run "nothing to list" 0 "$kw" groups list -b "$B"
prints "only the header" 'GROUP  TYPE  STATE  PROTOCOL  COORDINATOR\n'
run "set offsets of a group that is not there yet" 0 "$kw" offsets set -b "$B" -G simple orders:0=10 orders:1=5 users:1=0
says "how many" '3 set, 0 failed'
run "what it has now" 0 "$kw" offsets get -b "$B" -G simple
prints "is what was set" 'TOPIC   PARTITION  CURRENT-OFFSET\norders  0          10\norders  1          5\nusers   1          0\n'
run "of some partitions" 0 "$kw" offsets get -b "$B" -G simple -t orders:1-2 -J
prints "with what is not there" \
    '{"topic":"orders","partition":1,"committed":5}\n{"topic":"orders","partition":2,"committed":null}\n'
run "where logs begin and end" 0 "$kw" offsets get -b "$B" -t orders --at @0
prints "is printed" 'TOPIC   PARTITION  LOG-START-OFFSET  LOG-END-OFFSET  AT-TIME\norders  0          0                 30              0\norders  1          0                 20              0\norders  2          0                 0               -\n'
run "lag" 0 "$kw" lag -b "$B" -G simple
prints "is a line a partition" 'GROUP   TOPIC   PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG  CONSUMER-ID  HOST  CLIENT-ID\nsimple  orders  0          10              30              20   -            -     -\nsimple  orders  1          5               20              15   -            -     -\nsimple  users   1          0               0               0    -            -     -\n'
run "lag as JSON" 0 "$kw" lag -b "$B" -G simple -J
true_that "sums it up" grep -Eq '^\{"group":"simple","type":"classic","state":"Empty",.*"lag":35\}$' "$out"
run "lag, three times" 0 "$kw" lag -b "$B" -G simple --watch --interval 100 -c 3 -J
true_that "three objects" [ "$(grep -c '"lag":35}$' "$out")" = 3 ]
run "lag of nobody" 1 "$kw" lag -b "$B" -G nobody
says "it does not exist" 'nobody: GROUP_ID_NOT_FOUND'

# ---- members ------------------------------------------------------------------------------

member() { # GROUP OPTION...
    "$kw" consume -q -b "$B" -G "$1" orders "${@:2}" >/dev/null 2>&1 &
    started+=($!)
}
stable() { "$kw" groups list -b "$B" --state Stable 2>/dev/null | grep -q "^$1 "; }
member classic -X client.id=mine
member modern -X group.protocol=consumer -X client.id=yours
true_that "two groups are stable" await 20 stable classic
true_that "of both kinds" await 20 stable modern
run "list" 0 "$kw" groups list -b "$B"
true_that "names, types and states" grep -Eq '^classic +classic +Stable +consumer +1$' "$out"
true_that "of the other kind" grep -Eq '^modern +consumer +Stable +consumer +1$' "$out"
true_that "and of one without members" grep -Eq '^simple +classic +Empty +- +1$' "$out"
run "list of a type" 0 "$kw" groups list -b "$B" --type consumer -J
prints "as JSON" '{"group":"modern","type":"consumer","state":"Stable","protocol_type":"consumer","coordinator":1}\n'
run "describe" 0 "$kw" groups describe -b "$B" classic modern
true_that "the state of the classic one" \
    grep -Eq '^group classic: type classic, state Stable, protocol consumer, assignor range, coordinator 1, members 1$' "$out"
true_that "and of the other" \
    grep -Eq '^group modern: type consumer, state Stable, protocol consumer, assignor uniform, coordinator 1, epoch [0-9]+, members 1$' "$out"
true_that "members with client, host and partitions" \
    [ "$(grep -Ec '^  member [^ ]+: client (mine|yours), host /127.0.0.1(, epoch [0-9]+)?, has orders:0,1,2$' "$out")" = 2 ]
true_that "lag with who has it" [ "$(grep -Ec '^(classic|modern) +orders +[012] .* /127.0.0.1 +(mine|yours)$' "$out")" = 6 ]
run "describe --all" 0 "$kw" groups describe -b "$B" --all -J
true_that "an object a group" [ "$(grep -c '^{"group":' "$out")" = 3 ]
run "describe two, one of them nobody" 1 "$kw" groups describe -b "$B" simple nobody
true_that "the other is shown" grep -q '^group simple: type classic, state Empty' "$out"
says "nobody is named" 'group nobody: GROUP_ID_NOT_FOUND'

run "reset of an active group" 1 "$kw" groups reset -b "$B" -G classic -t orders --to earliest --execute
says "is refused" 'group classic is active: state Stable, 1 members; stop them first'
run "reset of an active group of the other kind" 1 "$kw" groups reset -b "$B" -G modern -t orders --to earliest --execute
says "is refused, too" 'group modern is active'
run "set offsets of an active group" 1 "$kw" offsets set -b "$B" -G modern orders:0=1
says "is refused by the broker" 'orders partition 0: UNKNOWN_MEMBER_ID \(the group is active'
run "delete groups" 1 "$kw" groups delete -b "$B" classic nobody
says "an active one stays" 'group classic: NON_EMPTY_GROUP'
says "one that is not there is told" 'group nobody: GROUP_ID_NOT_FOUND'
run "delete offsets of what a member subscribes to" 1 "$kw" offsets delete -b "$B" -G classic -t orders:0
says "is refused" 'orders partition 0: GROUP_SUBSCRIBED_TO_TOPIC'

# ---- reset --------------------------------------------------------------------------------------

reset() { run "$1" "$2" "$kw" groups reset -b "$B" -G simple "${@:3}"; }
row() { true_that "$1" grep -Eq "^simple +$2\$" "$out"; }
reset "a dry run" 0 -t orders --to earliest
row "shows what would be done" 'orders +0 +10 +0 +0 +30'
row "also where nothing is committed" 'orders +2 +- +0 +0 +0'
says "and says so" 'nothing was changed: --execute does it'
run "nothing was changed" 0 "$kw" offsets get -b "$B" -G simple -t orders:0 -J
prints "indeed" '{"topic":"orders","partition":0,"committed":10}\n'
reset "--execute" 0 -t orders:0 --to earliest --execute
says "sets it" '1 set, 0 failed'
run "it was changed" 0 "$kw" offsets get -b "$B" -G simple -t orders:0-1 -J
prints "of that partition alone" \
    '{"topic":"orders","partition":0,"committed":0}\n{"topic":"orders","partition":1,"committed":5}\n'
reset "to the end" 0 --all-topics --to latest
row "of each" 'orders +0 +0 +30 +0 +30'
row "that it has" 'users +1 +0 +0 +0 +0'
reset "to an offset" 0 -t orders:0,1 --to 25
row "that is there" 'orders +0 +0 +25 +0 +30'
row "or the nearest one" 'orders +1 +5 +20 +0 +20'
reset "by a shift" 0 -t orders:0,1 --shift -3
row "backward, not below the begin" 'orders +0 +0 +0 +0 +30'
row "of what is committed" 'orders +1 +5 +2 +0 +20'
reset "forward" 0 -t orders:1 --shift 9223372036854775807
row "not above the end" 'orders +1 +5 +20 +0 +20'
reset "a shift of nothing" 1 -t orders --shift 1
says "is told" 'orders partition 2: nothing is committed that could be shifted'
reset "to a time" 0 -t orders:0 --to @0
row "the first record" 'orders +0 +0 +0 +0 +30'
reset "to a time to come" 0 -t orders:0 --to @99999999999999
row "the end" 'orders +0 +0 +30 +0 +30'
reset "by a duration" 0 -t orders:0 --to by_duration:PT1H -J
prints "from an hour ago" '{"group":"simple","topic":"orders","partition":0,"committed":0,"new":0,"dry_run":true}\n'
reset "a duration of nothing" 0 -t orders:0 --to by_duration:PT0S
row "is now" 'orders +0 +0 +30 +0 +30'
reset "a topic that is not there" 1 -t nowhere --to earliest
says "is unknown" 'nowhere.*UNKNOWN_TOPIC_OR_PARTITION'
reset "a partition that is not there" 1 -t orders:9 --to earliest
says "is unknown, too" 'orders partition 9: UNKNOWN_TOPIC_OR_PARTITION'
run "a group that is new" 0 "$kw" offsets reset -b "$B" -G fresh -t orders --to latest --execute
says "is made" 'group fresh does not exist yet'
run "and consumes from there" 0 "$kw" consume -q -b "$B" -G fresh orders -e -o beginning
true_that "nothing" [ ! -s "$out" ]
run "reset, then consume" 0 "$kw" groups reset -q -b "$B" -G fresh -t orders:1 --to 15 --execute
run "it is respected" 0 "$kw" consume -q -b "$B" -G fresh orders -e
prints "five are left" '16\n17\n18\n19\n20\n'

# ---- usage -----------------------------------------------------------------------------------------

reset "no topic" 2 --to earliest
reset "a topic and all" 2 -t orders --all-topics --to earliest
reset "no goal" 2 -t orders
reset "two goals" 2 -t orders --to earliest --shift 1
reset "a goal that is none" 2 -t orders --to yesterday
reset "a bad duration" 2 -t orders --to by_duration:1H
reset "both" 2 -t orders --to earliest --dry-run --execute
run "no group" 2 "$kw" groups reset -b "$B" -t orders --to earliest
run "describe nobody" 2 "$kw" groups describe -b "$B"
run "describe some and all" 2 "$kw" groups describe -b "$B" --all simple
run "a verb that is none" 2 "$kw" groups remove -b "$B"
says "those that are" 'one of list, describe, delete, reset is expected'
run "no verb" 2 "$kw" offsets
run "an offset that is none" 2 "$kw" offsets set -b "$B" -G simple orders:0
run "a partition that is none" 2 "$kw" offsets get -b "$B" -G simple -t orders:x
run "lag without a group" 2 "$kw" lag -b "$B"
run "--interval without --watch" 2 "$kw" lag -b "$B" -G simple --interval 100
for command in groups "groups list" "groups describe" "groups delete" "groups reset" offsets "offsets get" \
    "offsets set" "offsets delete" "offsets reset" lag; do
    run "$command --help" 0 "$kw" $command --help
    true_that "$command --help has examples" grep -q 'Examples:' "$out"
done

# ---- ends --------------------------------------------------------------------------------------------

run "delete" 0 "$kw" groups delete -b "$B" simple fresh
says "is said" 'group simple deleted'
run "they are gone" 0 "$kw" groups list -b "$B" --state Empty
prints "from the list" 'GROUP  TYPE  STATE  PROTOCOL  COORDINATOR\n'
run "no broker" 3 "$kw" groups list -b 127.0.0.1:1 --timeout 1500
run "no broker for lag" 3 "$kw" lag -b 127.0.0.1:1 -G simple --timeout 1500
run "no broker for offsets" 3 "$kw" offsets get -b 127.0.0.1:1 -t orders --timeout 1500
start_broker --topic orders:1 --fault 'findcoordinator:*:error=GROUP_AUTHORIZATION_FAILED'
run "a group that we may not see" 4 "$kw" groups describe -b "$B" secret
says "is told with the right that it takes" 'not authorized to .* on group secret'
done_testing
